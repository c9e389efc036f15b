package main

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// A variable with a fixed list of values. The first one is selected.
func choice(name, label string, options ...string) *dashboard.CustomVariableBuilder {
	return dashboard.NewCustomVariableBuilder(name).
		Label(label).
		Values(dashboard.StringOrMap{String: ptr(strings.Join(options, ","))}).
		Current(dashboard.VariableOption{
			Selected: ptr(true),
			Text:     dashboard.StringOrArrayOfString{String: ptr(options[0])},
			Value:    dashboard.StringOrArrayOfString{String: ptr(options[0])},
		})
}
