// Package backbones holds the networks that turn images into pooled features: GoogLeNet and
// EfficientNet-Lite0 with pretrained weights, and a small convolutional network that begins with
// random weights. All lists them; a network is one file and one line there.
//
// Images are uint8 RGB in [0, 255], row-major, channels last: [N, S, S, 3]. A
// network's input and its maps are float32 [N, H, W, C], its kernels [height,
// width, in, out], depthwise ones [height, width, 1, channels]. Pooled features
// are float32 [N, Features].
//
// Features of a frozen backbone are computed once and kept in an Arrow file (Features); an
// extraction that was killed continues from its finished parts. Features that were made elsewhere
// (Import) are the backbone file:NAME.
package backbones
