// Package mini writes miniature raw data sets in the five published layouts.
//
// Each set is a folder of generated JPEGs and of lists in the original format, so that demonstrations
// and tests go through the same readers as the real data. A class is a combination of attributes
// (shape, pattern, two colours, part), and classes share attributes: telling them apart takes more
// than one of them. Images of a class differ in pose, scale, articulation, light, background, clutter,
// noise and JPEG quality.
//
// The bytes are a function of the options alone, not of the number of workers. Drawing uses IEEE
// additions, products, quotients and square roots that are rounded one by one (see mul), so that they
// agree across processors. The bytes may change with a Go release that changes image/jpeg or
// compress/zlib.
//
// Coordinates: x to the right, y down. Object coordinates span about [-1, 1] on both axes. Image
// coordinates are pixels, with pixel centres at half integers. Colours are sRGB values in [0, 255].
package mini
