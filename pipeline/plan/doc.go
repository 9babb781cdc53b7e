// Package plan lists the cells of a suite and compares each with its record in a run.
//
// A cell is one data set, backbone, mode, method, embedding size and seed. Its record holds a hash of
// its configuration, the digest of its data set and that of the pretrained weights. The states follow:
//
//	todo         there is no record
//	done         the record is that of a finished cell made from the same three
//	stale        the record was made from another configuration, other data or other weights, or is broken
//	failed       the cell ended with an error
//	interrupted  the record says running, but no process holds the cell's claim
//	running      the record says running, and another process holds the claim
//
// The hash of a configuration is the SHA-256 of its JSON, hexadecimal, with seed 0: the cells of a
// group that differ only in the seed share it.
package plan
