package paired

// A Sample is one metric of two groups, A and B, on the same queries. The values of the queries, in
// [0, 1], are summed by class; every class has a query.
type Sample struct {
	Count []float64   // [classes] queries of each class, at least 1
	A, B  [][]float64 // [seeds of the group][classes] sums of the queries' values
}

// An Estimate is Delta = MeanB - MeanA over the queries of a sample, together with the parts that
// its uncertainty is made of. A query's value is its mean over the seeds. Means are in [0, 1].
type Estimate struct {
	MeanA, MeanB, Delta float64

	classes      int
	classFreedom float64 // degrees of freedom of classRate
	// Estimated variances of Delta: classRate comes from drawing classes, with the part of the
	// interaction, the noise that neither class nor seed explains.
	classRate, interaction float64
	sides                  [2]Spread // of A's and B's seeds; without freedom where the seeds do not vary
}

// A Spread is the variance of a group's seeds: of the mean over the queries, from one seed to the
// next, as estimated from Freedom + 1 seeds.
type Spread struct {
	Variance float64 // squared fractions, at least 0
	Freedom  float64 // seeds - 1; 0 where there is one seed, which has no variance
}

// SpreadOf returns the spread of the means of a group's seeds, [seeds].
func SpreadOf(means []float64) Spread {
	n := float64(len(means))
	if n < 2 {
		return Spread{}
	}
	mean, squares := 0.0, 0.0
	for _, v := range means {
		mean += v / n
	}
	for _, v := range means {
		squares += (v - mean) * (v - mean)
	}
	return Spread{Variance: squares / (n - 1), Freedom: n - 1}
}

// Estimate computes the difference of the two groups and its variances. It needs at least one seed
// on each side and one class. A side with one seed adds no variance of seeds.
func (s Sample) Estimate() Estimate {
	e := Estimate{classes: len(s.Count)}
	total, squared, fourth := 0.0, 0.0, 0.0
	for _, n := range s.Count {
		total += n
		squared += n * n
		fourth += n * n * n * n
	}
	rest := make([]float64, len(s.Count)) // what each class adds to Delta
	for g, sums := range [][][]float64{s.A, s.B} {
		sign := float64(2*g - 1)
		seeds := float64(len(sums))
		means := make([]float64, len(sums))
		mean := 0.0
		for i, row := range sums {
			for c, v := range row {
				means[i] += v / total
				rest[c] += sign * v / seeds
			}
			mean += means[i] / seeds
		}
		if g == 0 {
			e.MeanA = mean
		} else {
			e.MeanB = mean
		}
		e.sides[g] = SpreadOf(means)
		if len(sums) > 1 {
			e.interaction += interaction(sums, s.Count, means, mean) / (seeds * (seeds - 1) * total * total)
		}
	}
	e.Delta = e.MeanB - e.MeanA
	squares := 0.0
	for c, n := range s.Count {
		d := rest[c] - e.Delta*n
		squares += d * d
	}
	if n := float64(len(s.Count)); n > 1 {
		e.classRate = squares / (total * total) * n / (n - 1)
		// The classes' effects count by their queries: Satterthwaite's degrees of freedom of the
		// sum of squares of normal effects with these weights, less one for Delta.
		e.classFreedom = max(1, squared*squared/fourth-1)
	}
	return e
}

// interaction returns the sum of squares that class and seed do not explain. sums is
// [seeds][classes], count is [classes], means is [seeds], mean is that of means.
func interaction(sums [][]float64, count, means []float64, mean float64) float64 {
	total := 0.0
	for c, n := range count {
		average := 0.0
		for i := range sums {
			average += sums[i][c] / float64(len(sums))
		}
		for i := range sums {
			d := sums[i][c] - average - n*(means[i]-mean)
			total += d * d
		}
	}
	return total
}

// ClassVariance returns the variance of Delta that comes from drawing classes, without the
// interaction of class and seed; 0 where the interaction is estimated to be larger.
func (e Estimate) ClassVariance() float64 { return max(0, e.classRate-e.interaction) }

// FixedSeeds returns the estimate of the same difference between these very models: their seeds are
// not drawn, so that classes alone vary.
func (e Estimate) FixedSeeds() Estimate {
	e.sides, e.interaction = [2]Spread{}, 0
	return e
}

// variance returns the variance of Delta over classes and seeds, where seeds add so much. Both
// parts include the interaction, so it is taken out once. Its estimate may be too large; the whole
// is never less than either part.
func (e Estimate) variance(seeds float64) float64 {
	return max(e.classRate+seeds-e.interaction, e.classRate, seeds)
}
