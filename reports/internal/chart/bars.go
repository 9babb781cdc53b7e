package chart

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"bierbench/reports/internal/table"
)

// Bars are drawn one below the other. Each consists of parts that add up.
type Bars struct {
	X, KeyX string   // what the length of a bar is: on the axis, and in the data
	Parts   []string // from the left
	Bars    []Bar
}

// Bar is one bar.
type Bar struct {
	Name   string
	Method string
	Values []float64
}

// total returns the length of the bar: the sum of its finite values above 0.
func (b Bar) total() float64 {
	sum := 0.0
	for _, v := range b.Values {
		if v > 0 && !math.IsInf(v, 0) { // not NaN
			sum += v
		}
	}
	return sum
}

func (c Bars) draw() (d drawing, ok bool) {
	const right, height, gap = 378.0, 12.0, 6.0
	const mostLetters, letter = 32, 7.2 // of a name, and the width of one
	longest, letters := 0.0, 20
	for _, b := range c.Bars {
		longest = max(longest, b.total())
		letters = max(letters, min(mostLetters, utf8.RuneCountInString(b.Name)))
	}
	left := 6 + letter*float64(letters)
	if longest == 0 {
		return d, false
	}
	x := roundAxis(0, longest, 1, 4)
	x.start, x.end = left, right
	bottom := plotTop + float64(len(c.Bars))*(height+gap)
	for _, v := range x.ticks {
		d.add(lineNode("grid", x.at(v), plotTop, x.at(v), bottom))
	}
	for i, b := range c.Bars {
		y := plotTop + float64(i)*(height+gap) + gap/2
		parts := []node{textNode("key", shorten(b.Name, mostLetters), "end", left-6, y+height-2)}
		var told []string
		from := 0.0
		for j, v := range b.Values {
			if !(v > 0) || math.IsInf(v, 0) {
				continue
			}
			parts = append(parts, node{class: "bar", color: j%seriesColors + 1, path: rectangle(x.at(from), y, x.at(from+v)-x.at(from), height)})
			told = append(told, c.Parts[j]+" "+table.Significant(v))
			from += v
		}
		parts = append(parts, textNode("tick", table.Significant(from), "start", x.at(from)+5, y+height-2))
		d.add(node{methods: []string{b.Method}, title: b.Name + ": " + strings.Join(told, ", "), parts: parts})
	}
	d.width = fullWidth
	// The axis is as wide as the bars alone.
	d.add(lineNode("axis", left, bottom, right, bottom))
	for _, v := range x.ticks {
		d.add(lineNode("axis", x.at(v), bottom, x.at(v), bottom+4), textNode("tick", x.label(v), "middle", x.at(v), bottom+17))
	}
	d.add(textNode("label", c.X, "middle", (left+right)/2, bottom+34))
	var keys []legendKey
	for j, name := range c.Parts {
		keys = append(keys, legendKey{name: name, symbol: func(left, middle float64) []node {
			return []node{{class: "bar", color: j%seriesColors + 1, path: rectangle(left+6, middle-5, 16, 10)}}
		}})
	}
	d.legend(bottom+56, keys)
	return d, true
}

func (c Bars) describe() string {
	parts := []string{c.X + ", in parts: " + strings.Join(c.Parts, ", ") + "."}
	for i, b := range c.Bars {
		if i == mostDescribed {
			parts = append(parts, fmt.Sprintf("%d more bars are in the chart's CSV file.", len(c.Bars)-i))
			break
		}
		parts = append(parts, b.Name+": "+table.Significant(b.total())+".")
	}
	return strings.Join(parts, " ")
}

func (c Bars) data() *table.Table {
	t := dataTable("bar", "part", c.KeyX)
	for _, b := range c.Bars {
		for j, v := range b.Values {
			if !math.IsNaN(v) {
				t.AddValues(b.Name, c.Parts[j], v)
			}
		}
	}
	return t
}
