package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// humanSeconds returns a time as people say it: 0.42 s, 12 s, 1 min 20 s, 2 h 5 min, 3 d 4 h.
func humanSeconds(s float64) string {
	const minute, hour, day = 60, 3600, 86400
	pair := func(large, small string, size, part int) string {
		units := int(math.Round(s/float64(part))) * part
		if rest := units % size / part; rest > 0 {
			return fmt.Sprintf("%d %s %d %s", units/size, large, rest, small)
		}
		return fmt.Sprintf("%d %s", units/size, large)
	}
	switch {
	case s < 9.95:
		return strconv.FormatFloat(s, 'g', 2, 64) + " s"
	case s < minute-0.5:
		return fmt.Sprintf("%.0f s", s)
	case s < hour-0.5:
		return pair("min", "s", minute, 1)
	case s < day-minute/2:
		return pair("h", "min", hour, minute)
	default:
		return pair("d", "h", day, hour)
	}
}

// humanBytes returns a number of bytes with two or three digits: 310 MB, 1.2 GB.
func humanBytes(n int64) string {
	value, unit := float64(n), 0
	units := []string{"bytes", "kB", "MB", "GB", "TB", "PB", "EB"}
	for value >= 999.5 && unit < len(units)-1 {
		value /= 1000
		unit++
	}
	if unit > 0 && value < 9.95 {
		return fmt.Sprintf("%.1f %s", value, units[unit])
	}
	return fmt.Sprintf("%.0f %s", value, units[unit])
}

// counted returns a number of things in words: "1 cell", "2 cells", "3 classes", "4 queries".
func counted(n int, noun string) string {
	many := noun + "s"
	switch stem, ended := strings.CutSuffix(noun, "y"); {
	case n == 1:
		many = noun
	case ended:
		many = stem + "ies"
	case strings.HasSuffix(noun, "s"):
		many = noun + "es"
	}
	return fmt.Sprintf("%d %s", n, many)
}
