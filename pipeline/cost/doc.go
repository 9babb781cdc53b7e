// Package cost estimates what the cells of a plan take: seconds, bytes of memory, bytes of disk. It
// keeps what cells took on this machine, and estimates later ones by it.
//
// A measurement is the time of an amount of one kind of work, and the set-up besides, such as
// compiling. The works and their amounts:
//
//	features  images through a frozen backbone
//	train     optimizer steps
//	initial   images that an initialisation looks at
//	embed     images that are embedded
//	evaluate  multiply-adds of scores
//	overhead  images of the data set; the time of a cell that belongs to no other work
//	memory    bytes that grow with the data set; the peak of resident memory, no time
//
// The kind says everything else that changes what a unit takes, such as the backbone and the input.
// An estimate takes the measurements of the kind whose amount is nearest, in steps of a factor of
// 10^(1/20), and from the last five of these the median of the seconds per unit. Cells that were done
// count before probes. A cell whose kind of work was never measured has no time, basis "".
//
// Without a measured peak, the memory of a cell in frozen mode is that of an idle process, the tables
// of features and embeddings, one block of scores, and four float32 values per parameter: value,
// gradient and two moments. The disk is the size of the files that a cell leaves.
//
// Measurements are lines of JSON in models/measured/<hardware>-<host>.jsonl; both names are digests.
// Where this machine has none of a kind, those of machines with the same hardware count.
package cost
