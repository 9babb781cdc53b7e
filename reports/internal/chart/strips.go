package chart

import (
	"fmt"
	"math"
	"strings"

	"bierbench/reports/internal/table"
)

// Strips shows how boosting weights are distributed over training. There is a strip for each
// learner and kind of pair. Its width is the steps, its height the possible weights in bins, and a
// bin is darker the larger its share of the pairs.
type Strips struct {
	Steps []float64 // [points] steps of the training
	// Positive and Negative are [learner][point][bin], the share of a kind of pairs in each bin of
	// weights, in [0, 1]. Bins divide the weights from 0 to the largest evenly.
	Positive, Negative [][][]float64
}

// kinds returns the two kinds of pairs and their shares, [learner][point][bin].
func (c Strips) kinds() ([2]string, [2][][][]float64) {
	return [2]string{"positive", "negative"}, [2][][][]float64{c.Positive, c.Negative}
}

func (c Strips) draw() (d drawing, ok bool) {
	const left, right, upper, strip, gap, levels = 52.0, 428.0, 30.0, 60.0, 12.0, 10
	half := (right - left - 16) / 2
	names, kinds := c.kinds()
	points := len(c.Steps)
	d.width, d.height = fullWidth, upper
	for k, shares := range kinds {
		x := left + float64(k)*(half+16)
		d.add(textNode("label", names[k]+" pairs", "middle", x+half/2, upper-12))
		for m, learner := range shares {
			y := upper + float64(m)*(strip+gap)
			shades := make([][]pathStep, levels+1)
			bins := 0
			for _, p := range learner {
				bins = max(bins, len(p))
			}
			for b := range bins {
				shade := func(i int) int {
					if b >= len(learner[i]) {
						return 0
					}
					return int(math.Round(learner[i][b] * levels))
				}
				for from := 0; from < points; {
					to := from + 1
					for to < points && shade(to) == shade(from) {
						to++
					}
					if s := shade(from); s > 0 {
						ok = true
						width, height := half/float64(points), strip/float64(bins)
						shades[s] = append(shades[s], rectangle(x+float64(from)*width, y+strip-float64(b+1)*height, float64(to-from)*width, height)...)
					}
					from = to
				}
			}
			for s, path := range shades {
				if path != nil {
					d.add(node{class: "cell", shade: s, path: path})
				}
			}
			d.add(node{class: "axis", path: rectangle(x, y, half, strip)})
			if k == 0 {
				d.add(textNode("tick", "max", "end", x-6, y+10), textNode("tick", fmt.Sprint(m+1), "end", x-6, y+strip/2+4),
					textNode("tick", "0", "end", x-6, y+strip))
			}
			d.height = max(d.height, y+strip)
		}
		if points > 0 {
			d.add(textNode("tick", fmt.Sprintf("%.4g", c.Steps[0]), "start", x, d.height+16),
				textNode("tick", fmt.Sprintf("%.4g", c.Steps[points-1]), "end", x+half, d.height+16))
		}
		d.add(textNode("label", "step", "middle", x+half/2, d.height+16))
	}
	name := textNode("label", "learner, weight", "middle", 12, (upper+d.height)/2)
	name.upright = true
	d.add(name)
	d.height += 26
	return d, ok
}

func (c Strips) describe() string {
	parts := []string{"Share of the pairs by boosting weight, in tenths of what it can be, over steps."}
	names, kinds := c.kinds()
	for k, shares := range kinds {
		for m, learner := range shares {
			if n := len(learner); n > 0 {
				parts = append(parts, fmt.Sprintf("Learner %d, %s pairs: mean weight %.2f of the largest at first, %.2f at last.",
					m+1, names[k], meanWeight(learner[0]), meanWeight(learner[n-1])))
			}
		}
	}
	return strings.Join(parts, " ")
}

// meanWeight returns the mean of a distribution, each bin counted at its middle.
func meanWeight(bins []float64) float64 {
	sum, n := 0.0, 0.0
	for i, v := range bins {
		sum += v * (float64(i) + 0.5) / float64(len(bins))
		n += v
	}
	if n == 0 {
		return 0
	}
	return sum / n
}

func (c Strips) data() *table.Table {
	t := dataTable("learner", "pairs", "step", "weight from", "weight to", "share")
	names, kinds := c.kinds()
	for k, shares := range kinds {
		for m, learner := range shares {
			for p, bins := range learner {
				for b, v := range bins {
					n := float64(len(bins))
					t.AddValues(m+1, names[k], c.Steps[p], float64(b)/n, float64(b+1)/n, v)
				}
			}
		}
	}
	return t
}
