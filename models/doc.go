// Package models trains and evaluates embedding ensembles on XLA through GoMLX.
//
// It holds the backbones (GoogLeNet and EfficientNet-Lite0 with pretrained
// weights, and a small convolutional network trained from scratch), the
// boosted ensemble of learners on top of them (BIER: Opitz et al. 2017,
// https://openaccess.thecvf.com/content_iccv_2017/html/Opitz_BIER_-_Boosting_ICCV_2017_paper.html),
// the adversarial diversity loss (A-BIER: Opitz et al. 2018,
// https://arxiv.org/abs/1801.04815), training with its checkpoints, and exact
// retrieval metrics.
//
// Arrays. Images are uint8 RGB in [0, 255], row-major, channels last:
// [N, S, S, 3]. Network inputs and feature maps are float32 [N, H, W, C].
// Kernels are [height, width, in, out]; a depthwise kernel is
// [height, width, 1, channels]. Pooled features are [N, Features], embeddings
// [N, Size], labels int32 [N]. Rates are per optimizer step.
//
// Devices. Several devices of a backend share a training step: it stays one
// program on the whole batch, whose images, learners' outputs and pairs the
// compiler splits; the loss curve is one device's up to rounding, and the same
// bits whenever it is repeated. Features, embeddings and searches are shared by
// whole batches and blocks, and are the same bits on any number of devices.
//
// Functions that build a graph take and return *Node and panic where a shape
// is wrong; exported functions that run one return errors.
package models
