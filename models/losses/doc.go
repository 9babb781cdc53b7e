// Package losses holds the metric losses and the rules that boost them.
//
// A loss is a differentiable function of the similarities of a batch's N images,
// between each other [N, N] or with proxies of all training classes
// [N, classes*proxies]. All lists the losses; a loss is one file and one line
// there.
//
// An ensemble of M learners is trained as online gradient boosting (BIER: Opitz et
// al. 2018, https://arxiv.org/abs/1801.04815, section 3): Boost returns the mean
// of the learners' losses, in which each learner's terms, or the derivatives by its
// similarities, are weighted by what the learners before it get wrong.
//
// Functions take and return nodes of a graph and panic where a shape is wrong.
package losses
