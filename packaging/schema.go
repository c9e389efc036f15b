package packaging

import (
	"encoding/json"
	"fmt"
)

// setting is a field of dsconfig.json, Grafana's description of a data source's settings.
type setting struct {
	Key, Description, ValueType, Target string
	DefaultValue                        any
	Item                                *struct{ ValueType string }
	Validations                         []struct {
		Type, Pattern string
		Min           *int
	}
}

// Schema converts the description of the settings in dsconfig.json to the schema that Grafana's
// API server reads as schema/v0alpha1.json.
func Schema(description []byte) ([]byte, error) {
	var config struct{ Fields []setting }
	if err := json.Unmarshal(description, &config); err != nil {
		return nil, err
	}
	properties := map[string]any{}
	var secrets []any
	for _, field := range config.Fields {
		switch field.Target {
		case "jsonData":
			properties[field.Key] = property(field)
		case "secureJsonData":
			secrets = append(secrets,
				map[string]any{"key": field.Key, "description": field.Description})
		default:
			return nil, fmt.Errorf("%s has the unknown target %q", field.Key, field.Target)
		}
	}
	object := func(properties map[string]any) map[string]any {
		return map[string]any{"type": "object", "properties": properties}
	}
	schema, err := json.MarshalIndent(map[string]any{
		"targetApiVersion": "v0alpha1",
		"settings": map[string]any{
			"spec":         object(map[string]any{"jsonData": object(properties)}),
			"secureValues": secrets,
		},
	}, "", "  ")
	return append(schema, '\n'), err
}

func property(field setting) map[string]any {
	property := map[string]any{"type": field.ValueType, "description": field.Description}
	if field.DefaultValue != nil {
		property["default"] = field.DefaultValue
	}
	if field.Item != nil {
		property["items"] = map[string]any{"type": field.Item.ValueType}
	}
	for _, rule := range field.Validations {
		switch rule.Type {
		case "pattern":
			property["pattern"] = rule.Pattern
		case "range":
			property["minimum"] = *rule.Min
		}
	}
	return property
}
