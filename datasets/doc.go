// Package datasets reads the five image-retrieval benchmarks from their
// published files, prepares them once as Arrow files and opens what was
// prepared.
//
// A [Set] is one benchmark: its published folder, its retrieval protocols and
// the reader of its official lists. The reader returns a [Layout]: one [Row]
// per listed image, in the order of the lists, with every count checked against
// the published release. It reads lists alone and never opens an image.
//
// Boxes are in pixels of the original image, 0-based and half-open: a box holds
// the columns X0 <= x < X1 and the rows Y0 <= y < Y1. Classes are int32 and are
// the lists' own numbers. Image paths use slashes and stay inside the data
// set's folder. Pixels are uint8, row-major, channels last: [H, W, 3], RGB.
//
// Sources of the layouts: Wah et al. 2011 (CUB-200-2011), Krause et al. 2013
// (Cars-196), Oh Song et al. 2016 (Stanford Online Products), Liu et al. 2016
// (DeepFashion In-Shop), Liu et al. 2016 (PKU VehicleID).
package datasets
