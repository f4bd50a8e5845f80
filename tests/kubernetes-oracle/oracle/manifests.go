package main

import (
	"encoding/json"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// A text; the answer is the documents that kubectl's own reader finds in it, or its refusal.
func manifests(in *json.Decoder) (any, error) {
	var text string
	if err := in.Decode(&text); err != nil {
		return nil, err
	}
	documents := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	objects := []any{}
	for {
		var object any
		err := documents.Decode(&object)
		if err == io.EOF {
			return map[string]any{"objects": objects}, nil
		}
		if err != nil {
			return map[string]any{"refused": err.Error()}, nil
		}
		if object != nil {
			objects = append(objects, object)
		}
	}
}
