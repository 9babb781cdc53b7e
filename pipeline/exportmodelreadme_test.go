package pipeline

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"bierbench/runs"
)

// hostile has what ends a YAML scalar, a block of metadata, a table's cell or a line, and HTML.
const hostile = "a\"b\\c: d #e\n---\n| f | <script>g</script> `h` [i](j) é\u2028 '\x7f"

// hostileCard is a card whose every name from data is hostile.
func hostileCard() *ModelCard {
	c := &ModelCard{Run: hostile, Cell: "cub.mini/" + hostile, Metric: "dot product"}
	c.Dataset, c.Variant, c.Backbone, c.Method, c.Seed = "cub", hostile, hostile, hostile, 3
	c.Network.Network, c.Input.Channels = "a network", "RGB"
	c.Digests = DigestCard{Model: "aa", Config: "bb", Data: "cc"}
	c.Evaluations = []runs.Evaluation{{
		Protocol: "cub-loo+box+subset+" + hostile, At: runs.AtPeek, TestHash: "dd", Queries: 7,
		Metrics: map[string]float64{"R@10": 1, "R@2": 0.5, "R@1": 0.00001, "MAP@R": 0.25, "R-precision": 0},
	}}
	return c
}

// The metadata is one block of YAML, in which every name is what it was, and numbers are numbers. What
// huggingface_hub reads, TestIntegrationExportedModel compares.
func TestFrontMatter(t *testing.T) {
	text := hostileCard().frontMatter()
	block, found := strings.CutPrefix(text, "---\n")
	block, rest, ends := strings.Cut(block, "\n---\n")
	if !found || !ends || rest != "\n" {
		t.Fatalf("not one block: %q", text)
	}
	for _, r := range block {
		if r != '\n' && (r < ' ' || r == 0x7f || r == '\u2028') {
			t.Errorf("the block has the character %q", r)
		}
	}
	var got map[string]any
	if err := yaml.Unmarshal([]byte(block), &got); err != nil {
		t.Fatal(err)
	}
	metric := func(id, name string, value float64) any {
		return map[string]any{"type": id, "name": name, "value": value}
	}
	want := map[string]any{
		"license": "unknown", "library_name": "safetensors", "pipeline_tag": "image-feature-extraction",
		"tags":     []any{"bierbench", "metric-learning", "image-retrieval", hostile, hostile},
		"datasets": []any{"cub"},
		"metrics":  []any{"recall_at_1", "recall_at_2", "recall_at_10", "map_at_r", "r_precision"},
		"model-index": []any{map[string]any{
			"name": hostile + "/cub.mini/" + hostile,
			"results": []any{map[string]any{
				"task": map[string]any{"type": "image-feature-extraction", "name": "Image retrieval"},
				"dataset": map[string]any{
					"type": "cub",
					"name": "CUB-200-2011 (cub-loo+box+subset+" + hostile + ", cropped to boxes, a subset of the images, custom release " +
						hostile + ", model chosen on the test classes)",
					"config": hostile, "split": "test",
					"args": map[string]any{"protocol": "cub-loo+box+subset+" + hostile, "at": "peek", "data_digest": "cc", "test_digest": "dd"},
				},
				"metrics": []any{
					metric("recall_at_1", "R@1", 0.00001), metric("recall_at_2", "R@2", 0.5), metric("recall_at_10", "R@10", 1),
					metric("map_at_r", "MAP@R", 0.25), metric("r_precision", "R-precision", 0),
				},
			}},
		}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("metadata (-want +got):\n%s", d)
	}
}

// No name from data changes how the page is laid out.
func TestPageOfHostileNames(t *testing.T) {
	page := hostileCard().page()
	for _, never := range []string{"<script", "[i](j)", "\n---", "| f |", "\u2028"} {
		if strings.Contains(page, never) {
			t.Errorf("the page has %q:\n%s", never, page)
		}
	}
	if strings.Contains(page, "python") {
		t.Error("without model.onnx the page shows how to use it")
	}
	for line := range strings.Lines(page) {
		if columns := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"); columns != 0 && columns != 6 {
			t.Errorf("%d bars in %q", columns, line)
		}
	}
}

// What a protocol is called says on which images its numbers are.
func TestDataName(t *testing.T) {
	for _, tt := range []struct{ set, protocol, at, name, split string }{
		{"cub", "cub-loo", "last", "CUB-200-2011 (cub-loo)", "test"},
		{"inshop", "inshop-qg+highres", "last", "DeepFashion In-Shop (inshop-qg+highres, images of high resolution)", "test"},
		{"sop", "sop-loo+grocery", "selected", "Stanford Online Products (sop-loo+grocery, custom release grocery)", "test"},
		{"cub", "cub-validation+subset", "last", "CUB-200-2011 (cub-validation+subset, a subset of the images)", "validation"},
		{"mine", "mine-loo", "last", "mine (mine-loo)", "test"},
	} {
		c := &ModelCard{}
		c.Dataset = tt.set
		if got := c.dataName(runs.Evaluation{Protocol: tt.protocol, At: tt.at}); got != tt.name {
			t.Errorf("%s: %q, want %q", tt.protocol, got, tt.name)
		}
		if got := splitOf(tt.protocol); got != tt.split {
			t.Errorf("%s: split %q, want %q", tt.protocol, got, tt.split)
		}
	}
}
