package pipeline

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"bierbench/datasets"
	"bierbench/models"
	"bierbench/pipeline/export"
	"bierbench/runs"
)

// writeReadme writes README.md: the card as a page, with the metadata that Hugging Face reads at its
// head (https://github.com/huggingface/hub-docs/blob/main/modelcard.md). The licence is unknown to
// bierbench: it depends on the data set and on the weights.
func (c *ModelCard) writeReadme(dir string) error {
	return runs.WriteFile(filepath.Join(dir, readmeFile), []byte(c.frontMatter()+c.page()), 0o644)
}

// frontMatter returns the YAML block. Every text from data is a double-quoted scalar with Go's
// escapes, which are YAML's too.
func (c *ModelCard) frontMatter() string {
	var b strings.Builder
	library := "safetensors"
	if c.ONNX != nil {
		library = "onnx"
	}
	fmt.Fprintf(&b, "---\nlicense: unknown\nlibrary_name: %s\npipeline_tag: image-feature-extraction\n", library)
	b.WriteString("tags:\n- bierbench\n- metric-learning\n- image-retrieval\n")
	fmt.Fprintf(&b, "- %s\n- %s\n", strconv.Quote(c.Backbone), strconv.Quote(c.Method))
	fmt.Fprintf(&b, "datasets:\n- %s\n", strconv.Quote(c.Dataset))
	var metrics []string
	for _, e := range c.Evaluations {
		for _, name := range metricNames(e.Metrics) {
			if id := metricID(name); !slices.Contains(metrics, id) {
				metrics = append(metrics, id)
			}
		}
	}
	if len(metrics) > 0 {
		b.WriteString("metrics:\n")
	}
	for _, id := range metrics {
		fmt.Fprintf(&b, "- %s\n", strconv.Quote(id))
	}
	fmt.Fprintf(&b, "model-index:\n- name: %s\n  results:", strconv.Quote(c.Run+"/"+c.Cell))
	if len(c.Evaluations) == 0 {
		b.WriteString(" []")
	}
	b.WriteByte('\n')
	for _, e := range c.Evaluations {
		b.WriteString("  - task:\n      type: image-feature-extraction\n      name: Image retrieval\n")
		fmt.Fprintf(&b, "    dataset:\n      type: %s\n      name: %s\n", strconv.Quote(c.Dataset), strconv.Quote(c.dataName(e)))
		fmt.Fprintf(&b, "      config: %s\n      split: %s\n", strconv.Quote(c.Variant), splitOf(e.Protocol))
		fmt.Fprintf(&b, "      args:\n        protocol: %s\n        at: %s\n        data_digest: %s\n        test_digest: %s\n",
			strconv.Quote(e.Protocol), strconv.Quote(e.At), strconv.Quote(c.Digests.Data), strconv.Quote(e.TestHash))
		b.WriteString("    metrics:\n")
		for _, name := range metricNames(e.Metrics) {
			fmt.Fprintf(&b, "    - type: %s\n      name: %s\n      value: %s\n",
				strconv.Quote(metricID(name)), strconv.Quote(name), yamlNumber(e.Metrics[name]))
		}
	}
	b.WriteString("---\n\n")
	return b.String()
}

// yamlNumber returns a number that readers of YAML 1.1 and 1.2 take for one: with a point and
// without an exponent.
func yamlNumber(v float64) string {
	text := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// metricNames returns the names of metrics in the order of reports: R@K by K, then the others.
func metricNames(metrics map[string]float64) []string {
	rank := func(name string) int {
		if k, ok := strings.CutPrefix(name, "R@"); ok {
			if n, err := strconv.Atoi(k); err == nil {
				return n
			}
		}
		return 1 << 30
	}
	return slices.SortedFunc(maps.Keys(metrics), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
}

// metricID returns a metric's name as an identifier: recall_at_1, map_at_r, r_precision.
func metricID(name string) string {
	if k, ok := strings.CutPrefix(name, "R@"); ok {
		name = "recall@" + k
	}
	return strings.NewReplacer("@", "_at_", "-", "_", " ", "_").Replace(strings.ToLower(name))
}

// splitOf returns the split whose images a protocol searches.
func splitOf(protocol string) string {
	if strings.Contains(protocol, validationProtocol) {
		return "validation"
	}
	return "test"
}

// dataName returns the title of the data set with what the labels of the protocol say: on which
// images the numbers are.
func (c *ModelCard) dataName(e runs.Evaluation) string {
	title := c.Dataset
	if set, err := datasets.Lookup(c.Dataset); err == nil {
		title = set.Title
	}
	words := []string{e.Protocol}
	_, labels, _ := strings.Cut(e.Protocol, "+")
	for label := range strings.SplitSeq(labels, "+") {
		switch label {
		case "":
		case "box":
			words = append(words, "cropped to boxes")
		case "subset":
			words = append(words, "a subset of the images")
		case "highres":
			words = append(words, "images of high resolution")
		default:
			words = append(words, "custom release "+label)
		}
	}
	if e.At == runs.AtPeek {
		words = append(words, "model chosen on the test classes")
	}
	return title + " (" + strings.Join(words, ", ") + ")"
}

// page returns the text below the metadata.
func (c *ModelCard) page() string {
	var b strings.Builder
	text := export.EscapeMarkdown
	fmt.Fprintf(&b, "# %s\n\n", text(fmt.Sprintf("%s, %s %s, on %s", c.Method, c.Backbone, c.Mode, c.Dataset)))
	fmt.Fprintf(&b, "An image embedding of %d numbers, made by bierbench as cell %s of run %s. %s.\n",
		c.Embedding.Size, text(c.Cell), text(c.Run), sentence(c.Metric))
	b.WriteString("`model.json` has everything that this page says, and more, for programs.\n\n")

	b.WriteString("## Results\n\nFractions in [0, 1]. In parentheses is the protocol, with what its name says about the images.\n\n")
	b.WriteString("| data | model | queries | metric | value |\n|---|---|---:|---|---:|\n")
	for _, e := range c.Evaluations {
		for _, name := range metricNames(e.Metrics) {
			note := ""
			if e.Collapsed(name) {
				note = ", decided by ties"
			}
			fmt.Fprintf(&b, "| %s | %s | %d | %s | %.4f |\n", text(c.dataName(e)), text(e.At), e.Queries, text(name)+note, e.Metrics[name])
		}
	}

	b.WriteString("\n## Input\n\n")
	c.writeInput(&b)

	if c.ONNX != nil {
		fmt.Fprintf(&b, "## Use\n\n`%s` is the whole network, normalisation included, with operators of version %d: `%s` is %s.\n\n"+
			"```python\n%s```\n\n", c.ONNX.File, c.ONNX.Opset, c.ONNX.Input, c.ONNX.Shape, c.snippet())
	}

	b.WriteString("## Training\n\n")
	fmt.Fprintf(&b, "- Network: %s.\n", text(c.Network.Network))
	if c.Network.Weights != "" {
		fmt.Fprintf(&b, "- Pretrained weights: SHA-256 `%s`.\n", text(c.Network.Weights))
	}
	fmt.Fprintf(&b, "- Embedding: %s.\n", text(c.Embedding.Rule))
	fmt.Fprintf(&b, "- Data set: %s, digest `%s`.\n", text(c.Dataset+"/"+c.Variant), text(c.Digests.Data))
	if c.Digests.Model != "" {
		fmt.Fprintf(&b, "- Model: digest `%s`.\n", text(c.Digests.Model))
	}
	fmt.Fprintf(&b, "- Configuration: digest `%s`, seed %d; written out as `training` in `model.json`.\n\n", text(c.Digests.Config), c.Seed)

	b.WriteString("## Licence and limits\n\n" +
		"The licence is given as unknown, because bierbench does not know it: it depends on the terms of the data set\n" +
		"and of the pretrained weights. Set `license` at the head of this page before you publish the model. The classes\n" +
		"of the test images were not trained on; other kinds of images were not tried.\n")
	return b.String()
}

// sentence begins with a capital.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// writeInput writes what the network takes: images, or features that another program made of them.
func (c *ModelCard) writeInput(b *strings.Builder) {
	text := export.EscapeMarkdown
	if f := c.Features; f != nil && c.Input.Pixels == 0 {
		fmt.Fprintf(b, "- The input is features of %d numbers that another program made of the images.\n", c.Network.Features)
		fmt.Fprintf(b, "- Their origin: %s.\n", text(cmp.Or(f.Origin, "not told")))
		fmt.Fprintf(b, "- Preprocessing of the images: %s.\n\n", text(cmp.Or(f.Preprocessing, "not told")))
		return
	}
	fmt.Fprintf(b, "- The images of the data set were prepared: %s.\n", c.Input.Prepared.words())
	fmt.Fprintf(b, "- The shortest side is brought into %d to %d pixels: %s.\n", c.Input.ShortestSide[0], c.Input.ShortestSide[1], c.Input.Resize)
	fmt.Fprintf(b, "- The network sees %s, %d pixels.\n", c.Input.Crop, c.Input.Pixels)
	fmt.Fprintf(b, "- Its input is %s; channels %s, mean %v, scale %v.\n", c.Input.Values, c.Input.Channels, c.Input.Mean, c.Input.Scale)
	b.WriteString("- Programs decode JPEG a little differently: embeddings of files that another program decoded are close to\n" +
		"  `embeddings.npy`, those of the same pixels are equal up to rounding.\n\n")
}

// snippet is Python that embeds image files with model.onnx.
func (c *ModelCard) snippet() string {
	return fmt.Sprintf(`import numpy as np
import onnxruntime
from PIL import Image

PIXELS, LEAST, MOST = %d, %d, %d


def view(path):
    """The square of an image that the network sees, [PIXELS, PIXELS, 3] uint8 RGB."""
    image = Image.open(path).convert("RGB")
    short, long = sorted(image.size)
    side = min(max(short, LEAST), MOST)
    if side != short:
        other = (2 * long * side + short) // (2 * short)
        image = image.resize((side, other) if image.width < image.height else (other, side), Image.BILINEAR)
    left, top = (image.width - PIXELS) // 2, (image.height - PIXELS) // 2
    return np.asarray(image.crop((left, top, left + PIXELS, top + PIXELS)))


session = onnxruntime.InferenceSession("%s", providers=["CPUExecutionProvider"])
images = np.stack([view(path) for path in paths])
embeddings = session.run(["%s"], {"%s": images})[0]
scores = embeddings @ embeddings.T  # the larger, the more alike
`, c.Input.Pixels, c.Input.ShortestSide[0], c.Input.ShortestSide[1], onnxFile, models.ONNXOutput, models.ONNXInput)
}
