// Package paired tests and predicts the difference of two groups of seeds on the same queries. It is
// arithmetic alone: it knows no run and no file.
//
// A [Sample] has the values of the queries summed by test class, for each seed of the groups A and
// B. [Sample.Estimate] gives the difference of their means, [Estimate.Test] its 95% interval and
// p-value, [NewPrior] what the groups of a table tell of one another's seeds, [Holm] corrects the
// p-values of a table, [McNemar] tests the hits of two single seeds. [Design] foresees how many seeds
// a comparison needs to find a difference. Shapes are written [seeds][classes]; means and differences
// are fractions, not per cent.
//
// # Why variances are moderated
//
// The variance of seeds is estimated from one to four degrees of freedom. That gave both false
// verdicts and little power. The rows of a table are many looks at the same kind of noise, so each
// group borrows from all (Smyth 2004). How much is not fixed: a [Prior] weighs from "each group alone"
// to "one variance for all". With one row there are two groups, and each borrows from the other. A
// group without a second seed tells nothing; without any the interval is over classes alone.
//
// The figures below are those of task test:simulation. A scene has 40 classes of 10 to 50 queries,
// unless it says otherwise; rows share the base and its seeds, as those of a real table do. "Variances
// differ": the logarithm of a group's standard deviation of seeds has a standard deviation of 0.5.
// "Equal seeds draw alike": half of the seeds' variance is the same in all groups.
//
// # False verdicts
//
// Per cent of tables without a difference in which any row gets a verdict after Holm's correction, by
// rows of the table and seeds on each side: 2,000 tables of 1 and of 10 rows, 200 of 100 rows. Standard
// errors are 0.5 and 1.5 at 5%. The last two columns are the bootstrap-t without moderation, on the same
// tables of ten rows.
//
//	rows                       1                   10                  100                   10
//	seeds                      2    3    5   10     2    3    5   10     2    3    5   10     2    5
//	seeds and classes vary   2.2  2.9  4.8  4.6   1.4  2.0  3.5  2.8   1.0  0.5  2.0  2.0   8.2  4.3
//	seeds vary little        1.2  1.9  2.2  3.5   0.4  0.9  0.9  1.7   0.0  0.5  0.0  2.0   3.5  3.2
//	seeds vary               2.1  3.5  4.7  4.5   1.1  1.5  2.5  2.3   1.0  0.5  1.0  3.0  13.4  6.1
//	seeds vary much          3.8  3.7  4.5  5.0   0.9  1.8  2.8  2.9   1.0  1.0  2.0  2.5  20.1  4.4
//	seeds decide             3.7  4.0  5.0  4.8   1.2  2.0  3.2  3.4   1.5  1.0  2.5  2.0  18.5  3.9
//	classes decide           1.6  3.3  4.2  5.2   1.9  3.4  3.9  3.2   1.5  2.5  3.5  3.0   3.4  3.7
//	few queries              0.8  2.5  2.9  4.5   0.4  1.1  1.7  1.2   0.0  0.5  1.0  0.0   3.3  3.8
//	95% hits                 1.1  1.7  3.7  4.6   0.3  0.9  1.4  1.3   0.0  0.0  0.0  0.0   1.1  1.3
//	no seed variance         1.0  2.5  3.5  5.3   0.6  2.0  2.8  2.2   1.0  1.5  1.0  2.5   1.7  3.0
//	variances differ         2.3  4.7  3.8  5.8   1.9  3.8  4.0  3.9   4.5  3.0  3.5  2.5  12.5  4.1
//	equal seeds draw alike   1.6  1.6  1.8  1.8   0.3  0.5  0.8  0.3   0.5  0.0  0.0  0.0   8.5  0.9
//	10 classes               0.8  1.6  3.3  4.1   0.2  0.8  1.6  3.0   0.0  1.5  1.0  4.0   1.8  2.9
//	100 classes              2.6  3.5  4.9  5.0   1.1  2.4  3.0  3.3   0.0  2.5  1.5  2.0  16.1  4.5
//
// # Coverage
//
// Per cent of the 95% intervals that hold the true difference, in the same tables. Two or three seeds of
// two groups tell so little that their intervals are wide. So they are where seeds hardly vary, because
// the interaction of class and seed is in both parts and its estimate may be too large to be taken out
// once. With 100 rows the figures are within 1.3 points of those with 10, but for "variances differ": 92.2,
// 94.0, 93.2 and 93.4.
//
//	rows                       1                   10
//	seeds                      2    3    5   10     2    3    5   10
//	seeds and classes vary  97.8 97.1 95.2 95.4  95.5 95.3 95.0 95.3
//	seeds vary little       98.8 98.1 97.8 96.5  97.3 96.7 96.3 96.2
//	seeds vary              97.8 96.5 95.3 95.5  96.1 95.6 95.2 95.5
//	seeds vary much         96.2 96.3 95.5 95.0  95.8 95.3 94.8 95.1
//	seeds decide            96.3 96.0 95.0 95.2  95.5 95.0 94.9 95.0
//	classes decide          98.5 96.7 95.8 94.8  95.5 95.3 94.9 95.0
//	few queries             99.2 97.5 97.1 95.5  97.4 96.4 96.4 96.1
//	95% hits                98.9 98.3 96.3 95.4  97.3 96.3 96.0 95.8
//	no seed variance        99.0 97.5 96.5 94.7  97.1 96.0 95.5 95.1
//	variances differ        97.7 95.3 96.2 94.2  94.8 94.6 94.3 94.8
//	equal seeds draw alike  98.5 98.4 98.2 98.2  97.8 98.0 98.3 98.5
//	10 classes              99.2 98.3 96.7 95.9  97.4 96.7 96.1 95.4
//	100 classes             97.3 96.5 95.1 95.0  95.5 95.2 94.9 95.3
//
// # Power
//
// Per cent of rows that differ from the base by the same amount and are found, with 5 seeds on each
// side, in tables of 1 and of 10 rows (4,000 rows each).
//
//	rows                        1                              10
//	rule                     used  boot Welch Satt. B.-F.    used  boot Welch Satt. B.-F.
//	seeds and classes vary   67.6  68.8  68.2  69.9  64.2    47.9  40.9  40.2  49.5  42.3
//	seeds vary little       100.0 100.0 100.0 100.0 100.0   100.0 100.0 100.0 100.0 100.0
//	seeds vary               99.6  99.4  99.5  99.7  99.5    99.6  96.5  96.0  99.7  99.6
//	seeds vary much          75.5  71.0  73.5  77.2  72.1    59.2  33.2  36.5  62.0  50.0
//	seeds decide             61.0  55.5  59.6  63.2  56.9    41.1  20.7  25.3  43.5  34.0
//	classes decide           84.7  85.2  84.9  85.2  83.8    69.7  66.3  68.8  70.2  68.8
//	few queries              90.5  92.6  89.7  91.7  88.7    82.7  76.8  63.5  85.0  78.8
//	95% hits                 99.0  94.7  99.0  99.2  98.8    95.2  66.8  90.4  95.9  94.2
//	no seed variance         90.3  90.8  90.8  90.9  89.4    80.2  78.3  78.2  80.5  79.0
//	variances differ         52.9  51.9  51.5  54.7  49.2    25.7  22.7  22.5  28.2  20.4
//	equal seeds draw alike   92.5  91.2  92.5  93.7  90.6    85.2  63.0  68.4  86.4  80.5
//	10 classes               25.1  27.7  25.2  26.2  23.4     4.6   5.8   2.3   4.7   4.5
//	100 classes              83.9  84.0  83.8  85.7  80.7    72.2  59.4  59.9  74.0  65.0
//
// Where seeds matter, moderation finds more; it finds 1 or 2 points less than the bootstrap-t in a table
// of one row where seeds hardly vary, and with 10 classes, because so few classes of unequal size count
// as fewer still.
//
// The rules are: used, that of [Estimate.Test]; boot, the symmetric bootstrap-t with each group's own
// variance; Welch, Student's t with Satterthwaite's degrees of freedom and each group's own variance;
// Satt. and B.-F., the two ends between which Estimate.Test lies.
//
// # Predictions
//
// TestIntegrationPowerInFull holds the predictions of [Design] against 1,000 simulated comparisons
// each. A prediction is made from 20 pilot runs. Differences are in points, predictions and findings
// in per cent.
//
//	scene                    delta  seeds  rows  predicted  found
//	seeds and classes vary    4.25      2     1       11.5    9.9
//	                          4.25      5     1       43.5   44.8
//	                          4.25     10     1       61.3   59.5
//	                          5.66      5    10       35.1   36.7
//	seeds decide             16.20      3     1       42.3   39.2
//	                         16.20      5     1       74.3   75.7
//	                         16.20     10     1       97.1   97.8
//	classes decide           10.41      3     1       60.7   56.8
//	                         10.41     20     1       73.5   74.1
//	no seed variance          4.26      2     1       24.7   21.0
//	                          4.26      5     1       68.5   67.9
package paired
