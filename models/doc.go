// Package models trains embedding ensembles on XLA through GoMLX.
//
// A Model is a backbone and M learners on its pooled features (BIER: Opitz et al.
// 2017, https://openaccess.thecvf.com/content_iccv_2017/html/Opitz_BIER_-_Boosting_ICCV_2017_paper.html),
// with the diversity losses of A-BIER (Opitz et al. 2018,
// https://arxiv.org/abs/1801.04815) before and in training. Config decides, with
// the data, every bit of it. Checkpoints let a training continue to the same bits;
// an export holds what is needed at test time.
//
// The parts are packages of their own:
//
//	losses      the metric losses and the rules that boost them
//	backbones   the networks and their pooled features
//	retrieval   exact search and its metrics
//	xla         backends, devices and programs
//	cache       the plugin and pretrained weights, installed once
//
// Arrays. Images are uint8 RGB in [0, 255], row-major, channels last:
// [N, S, S, 3]. Pooled features are float32 [N, Features], embeddings [N, Size],
// labels int32 [N]. Rates are per optimizer step.
//
// Devices. Several devices of a backend share a training step: it stays one
// program on the whole batch, whose images, learners' outputs and pairs the
// compiler splits; the loss curve is one device's up to rounding, and the same
// bits whenever it is repeated.
//
// Functions that build a graph take and return *Node and panic where a shape
// is wrong; exported functions that run one return errors.
package models
