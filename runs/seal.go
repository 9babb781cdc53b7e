package runs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// A record ends in its seal: the SHA-256, hex, of all bytes before it. A file of this package is
//
//	{
//	  ...,
//	  "seal": "<64 hex digits>"
//	}
//
// and the digest is that of the bytes before the comma. Older records have no seal.
const (
	sealName   = `"seal"`
	sealBefore = ",\n  " + sealName + ": \""
	sealAfter  = "\"\n}\n"
	sealDigits = 2 * sha256.Size
)

// errChanged is the error of a record that is not as it was written.
var errChanged = errors.New("it does not match its seal: it was changed or damaged after it was written")

// sealed appends the seal to an indented JSON object.
func sealed(object []byte) ([]byte, error) {
	body, ok := bytes.CutSuffix(object, []byte("\n}"))
	if !ok {
		return nil, fmt.Errorf("a record of %d bytes is no object", len(object))
	}
	sum := sha256.Sum256(body)
	out := make([]byte, 0, len(body)+len(sealBefore)+sealDigits+len(sealAfter))
	out = append(out, body...)
	out = append(out, sealBefore...)
	out = append(out, hex.EncodeToString(sum[:])...)
	return append(out, sealAfter...), nil
}

// checkSeal compares a record with its seal. sealed is false for an older record, which has none.
func checkSeal(data []byte) (sealed bool, err error) {
	if !bytes.Contains(data, []byte(sealName)) { // in text of a record it would be written \"seal\"
		return false, nil
	}
	at := len(data) - len(sealAfter) - sealDigits - len(sealBefore)
	if at < 0 || string(data[at:at+len(sealBefore)]) != sealBefore || string(data[len(data)-len(sealAfter):]) != sealAfter {
		return true, errChanged
	}
	sum := sha256.Sum256(data[:at])
	if string(data[at+len(sealBefore):len(data)-len(sealAfter)]) != hex.EncodeToString(sum[:]) {
		return true, errChanged
	}
	return true, nil
}

// checkConfigHash compares a cell's configuration with its hash, the SHA-256 of the compact JSON with
// seed 0. A text that is no SHA-256 is not compared: other programs may fill it in as they like.
func checkConfigHash(config json.RawMessage, hash string) error {
	if want, failed := hex.DecodeString(hash); failed != nil || len(want) != sha256.Size {
		return nil //nolint:nilerr // the text is none of ours
	}
	compact, err := seedless(config)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	sum := sha256.Sum256(compact)
	if got := hex.EncodeToString(sum[:]); got != hash {
		return fmt.Errorf("the configuration has hash %.12s, config_hash is %.12s: one of them was changed", got, hash)
	}
	return nil
}

// seedless returns a configuration as compact JSON with its top-level seed set to 0.
func seedless(config json.RawMessage) ([]byte, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, config); err != nil {
		return nil, err
	}
	text := compact.Bytes()
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return text, nil //nolint:nilerr // what is no object has no seed
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		if key == "seed" {
			end := int(d.InputOffset())
			return bytes.Join([][]byte{text[:end-len(value)], text[end:]}, []byte("0")), nil
		}
	}
	return text, nil
}
