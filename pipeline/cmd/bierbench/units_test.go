package main

import "testing"

func TestHumanSeconds(t *testing.T) {
	for _, c := range []struct {
		seconds float64
		want    string
	}{
		{0, "0 s"},
		{0.0423, "0.042 s"},
		{1.25, "1.2 s"},
		{9.96, "10 s"}, // two digits, not 1e+01
		{59.4, "59 s"},
		{59.6, "1 min"}, // never 60 s
		{80, "1 min 20 s"},
		{3599.7, "1 h"},
		{7500, "2 h 5 min"},
		{86390, "1 d"},
		{273600, "3 d 4 h"},
	} {
		if got := humanSeconds(c.seconds); got != c.want {
			t.Errorf("%g: %q, want %q", c.seconds, got, c.want)
		}
	}
}

func TestHumanBytes(t *testing.T) {
	for _, c := range []struct {
		bytes int64
		want  string
	}{
		{0, "0 bytes"},
		{999, "999 bytes"},
		{1000, "1.0 kB"},
		{9960, "10 kB"},
		{310_400_000, "310 MB"},
		{999_600_000, "1.0 GB"}, // never 1000 MB
		{1_234_000_000_000, "1.2 TB"},
	} {
		if got := humanBytes(c.bytes); got != c.want {
			t.Errorf("%d: %q, want %q", c.bytes, got, c.want)
		}
	}
}
