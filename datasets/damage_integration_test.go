//go:build integration

package datasets

import (
	"fmt"
	"runtime"
	"testing"
)

// Every file that the package reads, damaged in more ways than TestDamage has time for.
func TestIntegrationDamage(t *testing.T) {
	t.Run("prepared", func(t *testing.T) { checkPreparedDamage(t, 150) })
	t.Run("lists", func(t *testing.T) { checkListDamage(t, 600) })
}

// Every byte of a manifest without a seal.
func TestIntegrationManifestWithoutSeal(t *testing.T) { checkManifestWithoutSeal(t, 1) }

// decodeBombs ingests n bombs with so many workers and returns the largest heap meanwhile.
func decodeBombs(tb testing.TB, n, workers int, data []byte) (most uint64) {
	tb.Helper()
	s := newRawSet(tb)
	for i := range n {
		s.add(tb, Row{
			ID: int64(1000 + i), Name: fmt.Sprint(i), File: fmt.Sprintf("images/bomb/%d.jpg", i),
			Class: 9, ClassName: "bombs", Superclass: "all", Split: Test,
		}, data)
	}
	o := s.options(tb)
	o.Workers, o.MaxQuarantine = workers, 1
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapSys-m.HeapReleased)
			select {
			case <-stop:
				return
			default:
				runtime.Gosched()
			}
		}
	}()
	m, _ := s.ingest(tb, o)
	close(stop)
	<-done
	if len(m.Quarantine) != n {
		tb.Errorf("%d of %d bombs are in quarantine", len(m.Quarantine), n)
	}
	return most
}

// Bombs of 164 MiB each: without a bound, 16 of them take 2.6 GiB at once. What is in use is bounded by
// memoryLimit; the heap is larger by what was not yet collected.
func TestIntegrationDecodeBombs(t *testing.T) {
	data := bombJPEG(t, 3000, 3000, 3, 0xc2)
	for _, workers := range []int{2, 16} {
		most := decodeBombs(t, 24, workers, data)
		t.Logf("%d workers: the heap grew to %d MiB", workers, most>>20)
		if most > 3*memoryLimit/2 {
			t.Errorf("%d workers: the heap grew to %d MiB", workers, most>>20)
		}
	}
}
