package export

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"bierbench/runs"
)

// eventsFile is the name of a cell's event file: TensorBoard reads the files whose name contains
// "tfevents". Every export uses the same name, so a later one replaces an earlier one and no step
// is there twice.
const eventsFile = "events.out.tfevents.bierbench"

// TensorBoard writes an event file for each cell that has a record, as
// dir/<run>/<cell>/events.out.tfevents.bierbench, and returns their paths. A file holds the curves
// of train.jsonl, the final metrics at the last step, and the settings as text. It also holds the
// settings without the seed as hyperparameters, with the seeds as the trials of a group. The same
// run gives the same bytes.
func TensorBoard(ctx context.Context, r *runs.Run, dir string) ([]string, error) {
	cells, err := r.Cells()
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, c := range cells {
		if err := ctx.Err(); err != nil {
			return paths, err
		}
		steps, err := r.Steps(c)
		if err != nil {
			return paths, err
		}
		content, err := eventFile(c, steps)
		if err != nil {
			return paths, err
		}
		path := filepath.Join(dir, r.Record.ID, filepath.FromSlash(c.Path()), eventsFile)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return paths, fmt.Errorf("tensorboard: %w", err)
		}
		if err := runs.WriteFile(path, content, 0o644); err != nil {
			return paths, fmt.Errorf("tensorboard: %w", err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// eventFile returns the events of a cell, each in a record.
func eventFile(c runs.Cell, steps []runs.TrainStep) ([]byte, error) {
	settings, err := settingsOf(c)
	if err != nil {
		return nil, err
	}
	began := c.Started
	file := appendRecord(nil, eventOf(began, 0, eventVersion, []byte("brain.Event:2")))
	put := func(at time.Time, step int, values ...[]byte) {
		var summary []byte
		for _, v := range values {
			summary = appendMessage(summary, 1, v)
		}
		file = appendRecord(file, eventOf(at, step, eventSummary, summary))
	}
	put(began, 0, textValue("config", settings))
	put(began, 0, sessionValue("_hparams_/session_start_info", 3, sessionStart(c, settings)))
	// The values of one step are one event.
	all := slices.Concat(trainingScalars(c, steps), selectionScalars(c, steps), finalScalars(c, steps))
	for i := 0; i < len(all); {
		first := all[i]
		var values [][]byte
		for ; i < len(all) && all[i].step == first.step && all[i].at.Equal(first.at); i++ {
			values = append(values, scalarValue(all[i]))
		}
		put(first.at, first.step, values...)
	}
	if c.Status != runs.Running {
		last := 0
		if len(all) > 0 {
			last = all[len(all)-1].step
		}
		put(endTime(c), last, sessionValue("_hparams_/session_end_info", 4, sessionEnd(c)))
	}
	return file, nil
}

// appendRecord appends a record as TensorFlow's RecordWriter does: the length, its checksum, the
// data, its checksum.
// https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
func appendRecord(file, data []byte) []byte {
	start := len(file)
	file = binary.LittleEndian.AppendUint64(file, uint64(len(data)))
	file = binary.LittleEndian.AppendUint32(file, maskedChecksum(file[start:]))
	file = append(file, data...)
	return binary.LittleEndian.AppendUint32(file, maskedChecksum(data))
}

// maskedChecksum returns the rotated CRC-32C of a part of a record.
func maskedChecksum(data []byte) uint32 {
	sum := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return (sum>>15 | sum<<17) + 0xa282ead8
}

// The fields of tensorboard/compat/proto/event.proto, message Event, that hold what an event is
// about.
const (
	eventVersion protowire.Number = 3
	eventSummary protowire.Number = 5
)

// eventOf returns an Event with one field beside its time and step.
func eventOf(at time.Time, step int, what protowire.Number, content []byte) []byte {
	b := appendDouble(nil, 1, float64(at.UnixMicro())/1e6) // wall_time, seconds
	if step != 0 {
		b = protowire.AppendTag(b, 2, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(step))
	}
	return appendMessage(b, what, content)
}

// scalarValue returns a Summary.Value with a tag (1) and a simple_value (2), a float32.
func scalarValue(s scalar) []byte {
	b := appendString(nil, 1, s.tag)
	b = protowire.AppendTag(b, 2, protowire.Fixed32Type)
	return protowire.AppendFixed32(b, math.Float32bits(float32(s.value)))
}

// The types of a TensorProto, types.proto.
const (
	typeFloat  = 1
	typeString = 7
)

// textValue returns a Summary.Value of the text plugin: a scalar of type string.
func textValue(tag string, settings []setting) []byte {
	var table strings.Builder
	table.WriteString("| option | value |\n|---|---|\n")
	for _, s := range settings {
		fmt.Fprintf(&table, "| %s | %s |\n", EscapeMarkdown(s.name), EscapeMarkdown(s.text()))
	}
	tensor := appendEnum(nil, 1, typeString)
	tensor = appendMessage(tensor, 2, nil)                          // tensor_shape: no dimension
	tensor = appendString(tensor, 8, table.String())                // string_val
	metadata := appendMessage(nil, 1, appendString(nil, 1, "text")) // plugin_data: plugin_name
	metadata = appendEnum(metadata, 4, 2)                           // data_class: tensor
	b := appendString(nil, 1, tag)
	b = appendMessage(b, 9, metadata)
	return appendMessage(b, 8, tensor)
}

// sessionValue returns a Summary.Value of the hparams plugin: an HParamsPluginData with one field,
// in the metadata of a tensor that holds nothing of interest.
func sessionValue(tag string, field protowire.Number, content []byte) []byte {
	plugin := appendString(nil, 1, "hparams")
	plugin = appendMessage(plugin, 2, appendMessage(nil, field, content))
	tensor := appendEnum(nil, 1, typeFloat)
	tensor = appendMessage(tensor, 2, appendMessage(nil, 2, appendEnum(nil, 1, 1))) // tensor_shape: a dimension of size 1
	tensor = appendMessage(tensor, 5, protowire.AppendFixed32(nil, 0))              // float_val
	b := appendString(nil, 1, tag)
	b = appendMessage(b, 9, appendMessage(nil, 1, plugin))
	return appendMessage(b, 8, tensor)
}

// sessionStart returns a SessionStartInfo of tensorboard/plugins/hparams/plugin_data.proto.
func sessionStart(c runs.Cell, settings []setting) []byte {
	var b []byte
	for _, s := range settings {
		if s.name == "seed" || s.name == chosenOption {
			continue // the cells of a group are trials of one setting
		}
		var value []byte // google.protobuf.Value
		switch v := s.value.(type) {
		case float64:
			value = appendDouble(nil, 2, v)
		case bool:
			value = appendEnum(nil, 4, protowire.EncodeBool(v))
		default:
			value = appendString(nil, 3, s.text())
		}
		b = appendMessage(b, 1, appendMessage(appendString(nil, 1, s.name), 2, value)) // an entry of the map hparams
	}
	b = appendString(b, 4, c.Group.Path()) // group_name
	return appendDouble(b, 5, float64(c.Started.UnixMicro())/1e6)
}

// sessionEnd returns a SessionEndInfo: status success (1) or failure (2).
func sessionEnd(c runs.Cell) []byte {
	status := uint64(1)
	if c.Status == runs.Failed {
		status = 2
	}
	return appendDouble(appendEnum(nil, 1, status), 2, float64(endTime(c).UnixMicro())/1e6)
}

// appendMessage appends a field of bytes.
func appendMessage(b []byte, field protowire.Number, content []byte) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendBytes(b, content)
}

// appendString appends a field of text.
func appendString(b []byte, field protowire.Number, s string) []byte {
	return appendMessage(b, field, []byte(strings.ToValidUTF8(s, "\ufffd")))
}

// appendEnum appends a field of a variable-length integer.
func appendEnum(b []byte, field protowire.Number, value uint64) []byte {
	b = protowire.AppendTag(b, field, protowire.VarintType)
	return protowire.AppendVarint(b, value)
}

// appendDouble appends a field of eight bytes.
func appendDouble(b []byte, field protowire.Number, value float64) []byte {
	b = protowire.AppendTag(b, field, protowire.Fixed64Type)
	return protowire.AppendFixed64(b, math.Float64bits(value))
}
