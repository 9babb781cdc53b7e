// Package paired tests and predicts the difference of two groups of seeds on the same queries. It is
// arithmetic alone: it knows no run and no file.
//
// A [Sample] has the values of the queries summed by test class, for each seed of the groups A and
// B. [Sample.Estimate] gives the difference of their means, [Estimate.Test] its 95% interval and
// p-value, [Holm] corrects the p-values of a table, [McNemar] tests the hits of two single seeds.
// [Powers] predicts how many seeds a comparison needs to find a difference. Shapes are written
// [seeds][classes]; means and differences are fractions, not per cent.
//
// # Coverage
//
// The kind of interval was chosen by TestIntegrationCoverageInFull (build tag integration). The table has the
// per cent of 2,000 experiments whose interval holds the known difference; the standard error of a
// figure is 0.5. An experiment has 40 classes of 10 to 50 queries and 5 seeds a group, unless the
// scene says otherwise.
//
//	scene                            t     perc  resc  BCa   t2    z     Welch
//	seeds and classes vary           95.5  95.4  95.5  95.4  94.5  94.1  95.2
//	seeds vary little, no interact.  96.7  99.5  98.5  99.4  95.9  94.9  96.6
//	seeds vary, no interaction       95.2  96.2  95.7  96.0  94.5  92.9  95.0
//	seeds vary much, no interaction  95.8  92.3  93.5  91.9  95.0  92.2  95.2
//	seeds decide                     95.8  90.5  92.8  90.2  95.5  92.6  95.3
//	classes decide                   94.5  93.6  94.0  92.8  93.7  93.7  94.3
//	2 to 10 queries a class          94.7  99.1  97.7  98.7  94.7  93.3  94.9
//	almost all are hits              95.3  96.8  96.1  95.4  94.0  93.4  94.6
//	seeds do not vary                95.2  97.2  95.8  96.2  93.7  94.0  94.7
//	2 seeds                          94.5  90.8  92.2  90.2  92.0  89.6  93.7
//	2 seeds that decide              94.0  73.0  81.9  73.0  91.4  82.0  93.3
//	3 seeds                          93.5  93.2  93.5  92.8  92.8  91.5  93.5
//	10 seeds                         95.0  95.5  94.9  95.0  94.7  94.1  94.8
//	10 classes                       96.2  96.0  96.2  95.0  94.7  93.6  95.7
//	100 classes                      95.5  94.1  94.8  94.2  95.0  94.2  95.4
//
// The columns are: t, the symmetric bootstrap-t interval of Estimate.Test; perc, the percentile
// interval; resc, the percentile interval with the class and seed parts scaled by sqrt(n/(n-1));
// BCa, Efron's corrected percentile interval; t2, the two-sided bootstrap-t interval; z,
// Delta -+ 1.96 SE; Welch, Student's t with Satterthwaite's degrees of freedom (as good as t, but
// not a bootstrap).
//
// Percentile and BCa intervals are too short where seeds matter: five draws of five seeds have only
// 4/5 of their variance, and the normal shape has light tails. They are too long where seeds do not
// matter: drawing both at once counts the interaction three times.
//
// # False verdicts
//
// TestIntegrationSameConfigurationInFull compares two groups of one configuration with disjoint seeds, 2,000
// tables of ten rows in the first scene and 400 in the others. The table has the per cent that get a
// verdict: rows that are tables of their own, rows of tables of ten after Holm's correction, and
// tables of ten in which any row gets one.
//
//	scene                            alone  in ten  tables
//	seeds and classes vary           5.3    0.8      7.5
//	seeds vary little, no interact.  4.7    0.5      4.5
//	seeds vary much, no interaction  4.0    0.5      4.8
//	seeds decide                     3.7    0.2      1.8
//	2 seeds                          6.4    1.9     17
//	2 seeds that decide              5.4    3.3     29
//	3 seeds                          6.2    1.5     13
//	10 seeds                         4.5    0.6      5.2
//	10 classes                       3.5    0.3      2.2
//
// So at most 5% of the rows of a table of ten get a false verdict. A table as a whole is not held
// to 5% with two or three seeds, because the far quantiles that Holm's correction needs come out
// too near there.
//
// # Power
//
// TestIntegrationPowerInFull holds the predictions of [Powers] against comparisons simulated in another way,
// 1,000 of each. A prediction is made from 20 pilot runs. Differences are in points, predictions and
// findings in per cent.
//
//	scene                    delta  seeds  rows  predicted  found
//	seeds and classes vary    4.25      2     1         20     21
//	                          4.25      5     1         46     45
//	                          4.25     10     1         65     60
//	                          5.66      5    10         32     29
//	seeds decide             16.20      3     1         37     37
//	                         16.20      5     1         73     71
//	                         16.20     10     1         98     97
//	classes decide           10.41      3     1         66     65
//	                         10.41     20     1         73     69
//	seeds do not vary         4.26      2     1         46     40
//	                          4.26      5     1         69     69
package paired
