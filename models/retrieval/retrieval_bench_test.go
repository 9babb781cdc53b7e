package retrieval

import (
	"math"
	"math/rand/v2"
	"testing"

	"bierbench/models/internal/modelstest"
)

// productsSearch is leave-one-out of the size of Stanford Online Products'
// test set: 60,502 images, about five of each class, 512 dimensions. Images of
// a class are near each other, so that ranks are as in a trained embedding.
func productsSearch() Search {
	const n, width = 60502, 512
	random := rand.New(rand.NewPCG(6, 5))
	s := Search{Width: width, SelfExcluded: true, Recalls: []int{1, 10, 100, 1000}, Nearest: 5}
	s.Queries = make([]float32, n*width)
	center := make([]float64, width)
	for i := range n {
		s.QueryIDs = append(s.QueryIDs, int64(i+1))
		s.QueryClasses = append(s.QueryClasses, int32(i/5))
		if i%5 == 0 {
			for j := range center {
				center[j] = random.NormFloat64()
			}
		}
		row, square := s.Queries[i*width:][:width], 0.0
		for j := range row {
			v := center[j] + 3*random.NormFloat64()
			row[j], square = float32(v), square+v*v
		}
		for j := range row {
			row[j] /= float32(math.Sqrt(square))
		}
	}
	s.Gallery, s.GalleryIDs, s.GalleryClasses = s.Queries, s.QueryIDs, s.QueryClasses
	return s
}

func BenchmarkRetrieve(b *testing.B) {
	s, backend := productsSearch(), modelstest.Backend(b)
	b.ResetTimer()
	for range b.N {
		r, err := Retrieve(b.Context(), backend, s)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(r.Metrics["R@1"], "R@1")
	}
}

func BenchmarkLearnerRecalls(b *testing.B) {
	s, backend := productsSearch(), modelstest.Backend(b)
	b.ResetTimer()
	for range b.N {
		if _, err := LearnerRecalls(b.Context(), backend, s, []int{96, 160, 256}, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCorrelation(b *testing.B) {
	s, backend := productsSearch(), modelstest.Backend(b)
	for _, size := range []struct {
		name          string
		images, width int
		learners      []int
	}{
		{"60502x512", 60502, 512, []int{96, 160, 256}},
		{"2474x512", 2474, 512, []int{96, 160, 256}},
		{"2474x2048", 2474, 2048, []int{342, 682, 1024}},
	} {
		b.Run(size.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Correlation(b.Context(), backend, s.Queries[:size.images*size.width], size.width, size.learners); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
