// Package suite reads suites: YAML files that say what one run trains and evaluates.
//
// A suite is a list of items. An item is a block or an include:
//
//	# A block is data sets x methods x sizes x seeds on one backbone; each combination is a cell.
//	- datasets: [cub, sop/grocery]   # a set, set/release, or set/variant in full
//	  backbone: lite0
//	  mode: frozen                   # frozen or finetune
//	  input: 224                     # pixels per side; without this key the backbone's own
//	  methods:                       # built-in methods, or mappings with options of their own
//	    - baseline
//	    - {label: wide, method: bier, learners: 4, base: baseline}
//	  sizes: [512]                   # dimensions of the embedding; the default is 512
//	  seeds: [0, 1]                  # the default is 0
//	  steps: 800                     # an option of models.Config, for every method of the block
//
//	# An include stands for the blocks of a built-in suite, or of a file relative to this one.
//	- include: quick
//	  seeds: [0, 1, 2]               # replaces this key in every included block
//
// One value may stand where a list is wanted. Where a key is given more than once, the last of these
// counts: the block, the method, the item of an include, --set on the command line. The option
// constants is merged by the names of its constants.
//
// Anchors, aliases and tags of YAML are not read, nor numbers with leading zeros, which YAML takes for
// octal ones. A list names no value twice. A file has at most 256 KiB, a suite 2,000 blocks and 100,000
// cells, and at most 32 files include each other.
//
// Reading a suite resolves the configuration of every cell, so that a mistake is found before
// anything is computed. Errors name the file and the line of the key. The suites in suites/ are built
// in.
package suite
