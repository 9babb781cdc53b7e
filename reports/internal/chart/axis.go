package chart

import (
	"math"
	"strconv"
	"strings"
)

// axis maps values to pixels. Ticks stand on round numbers, or where they are given.
type axis struct {
	low, high    float64 // values at the ends
	start, end   float64 // pixels at the ends
	log          bool
	ticks        []float64
	decimals     int
	scaleForText float64 // values are multiplied by it when written: 100 for percent
}

// at returns the pixel of a value.
func (a axis) at(v float64) float64 {
	low, high := a.low, a.high
	if a.log {
		v, low, high = math.Log(v), math.Log(low), math.Log(high)
	}
	if high == low {
		return (a.start + a.end) / 2
	}
	return a.start + (v-low)/(high-low)*(a.end-a.start)
}

// label writes the value of a tick.
func (a axis) label(v float64) string {
	if a.decimals > 3 && v != 0 { // too long to stand beside the axis: 2e-4
		return strings.Replace(strconv.FormatFloat(v*a.scaleForText, 'e', -1, 64), "e-0", "e-", 1)
	}
	return strconv.FormatFloat(v*a.scaleForText, 'f', a.decimals, 64)
}

// roundAxis returns an axis that contains [low, high] and begins and ends on ticks. The ticks are
// about n steps of a round number; scale is the factor by which labels multiply values.
func roundAxis(low, high, scale float64, n int) axis {
	if high <= low { // one value: make room around it
		room := math.Abs(low) * 0.1
		if room == 0 {
			room = 0.01
		}
		low, high = low-room, high+room
	}
	step := roundStep((high-low)*scale/float64(n)) / scale
	first, last := math.Floor(low/step+1e-9), math.Ceil(high/step-1e-9)
	a := axis{low: first * step, high: last * step, scaleForText: scale}
	for i := first; i <= last; i++ {
		a.ticks = append(a.ticks, roundTick(i*step)+0) // no -0
	}
	a.decimals = max(0, int(math.Ceil(-math.Log10(step*scale)-1e-9)))
	return a
}

// roundTick drops what adding up steps leaves behind: 0.30000000000000004.
func roundTick(v float64) float64 {
	if v == 0 {
		return 0
	}
	scale := math.Pow(10, 12-math.Ceil(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}

// roundStep returns the smallest of 1, 2, 5 times a power of ten that is at least v > 0.
func roundStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}
