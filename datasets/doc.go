// Package datasets reads the five image-retrieval benchmarks from their published files, and data of the
// user's own, prepares them once as Arrow files and opens what was prepared.
//
// A [Set] is one benchmark: its published folder, its retrieval protocols and the reader of its
// official lists. It reads from a [Source]: a folder, or archives as they were published. The reader returns a [Layout]: one [Row] per listed image, in the order of the
// lists, with every count checked against the published release. It reads only the lists and opens no
// image. Data of the user's own are class folders, tables or Parquet files; what they share is in own.go.
// [Ingest] reads the images as well and writes a data set:
//
//	<set>/<variant>/manifest.json    [Manifest]: options, counts, digests, seal; written last
//	<set>/<variant>/index.arrow      every column but the images, and where each image lies
//	<set>/<variant>/part-0000.arrow  the rows with their images; at most 256 MiB, then part-0001.arrow
//
// Rows are sorted by split, class and id. These columns are in the parts and in the index:
//
//	id          int64                 number in the official lists
//	name        utf8                  path or name in the lists
//	class       int32                 number of the class in the lists
//	class_name  dictionary of utf8
//	superclass  dictionary of utf8    empty where the set has none
//	split       dictionary of utf8    train, test, query or gallery
//	list        uint8                 bits of VehicleID's test lists: 1 = 800, 2 = 1600, 4 = 2400
//	width       int32                 of the original image turned upright, pixels
//	height      int32
//	box         fixed list of 4 int32 X0, Y0, X1, Y1 in the original, clipped to it; null without box
//	sha256      32 bytes              of the source file
//
// A part has one more, image: a JPEG, or RGB [Size][Size][3]. The index has four more: image_sha256,
// and part (int32), offset (int64) and size (int32) in bytes, which say where the image lies.
//
// Files are checked when they are read: the manifest against its seal and the index, the index against
// its digest in the manifest, an image against its image_sha256.
//
// Boxes are in pixels of the original image turned upright, 0-based and half-open: a box holds the columns
// X0 <= x < X1 and the rows Y0 <= y < Y1. Classes are int32 and are the lists' own numbers. Image
// paths use slashes and stay inside the data set's folder. Pixels are uint8, row-major, channels last:
// [H, W, 3], RGB.
//
// Images are scaled with a triangle filter whose support grows with the reduction, which is Pillow's
// BILINEAR, in integer arithmetic: the same bytes on every machine.
//
// Sources of the layouts: Wah et al. 2011 (CUB-200-2011), Krause et al. 2013 (Cars-196), Oh Song et
// al. 2016 (Stanford Online Products), Liu et al. 2016 (DeepFashion In-Shop), Liu et al. 2016 (PKU
// VehicleID).
package datasets
