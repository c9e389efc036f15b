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

// The distance to an earlier range that panels draw as "Before", in days. 364 keeps the weekday.
func compareVariable() *dashboard.CustomVariableBuilder {
	return dashboard.NewCustomVariableBuilder("compare").
		Label("Compare with").
		Values(dashboard.StringOrMap{String: ptr("nothing : 0, four weeks before : 28, a year before : 364")}).
		Current(dashboard.VariableOption{
			Selected: ptr(true),
			Text:     dashboard.StringOrArrayOfString{String: ptr("nothing")},
			Value:    dashboard.StringOrArrayOfString{String: ptr("0")},
		})
}

// The values of the earlier range that the variable "compare" selects.
func before(table, column string) query {
	return series("overview/before", "$table", table, "$column", column)
}
