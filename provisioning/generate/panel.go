package main

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// A panel with the texts and queries that every kind of panel has.
type panel struct {
	title string
	// One sentence: the values, and how to read them.
	description string
	// Shown in place of the panel's content when a query returns no data.
	empty   string
	queries []query
	// A query with `empty` as the name of its value, for a kind of panel that has no option for it.
	words *query
	// The kind of the panel with its own options.
	kind cog.Builder[dashboard.Panel]
	// Display of single fields by their name.
	fields []field
	// Texts of values, for all fields.
	mappings []dashboard.ValueMapping
	// A time range of its own, for example 30d.
	last string
	// Whether a click on a day opens its night.
	opensNight bool
	// Links of the panel's title.
	links []dashboard.DashboardLink
}

func (p panel) build() (dashboard.Panel, error) {
	built, err := p.kind.Build()
	if err != nil {
		return built, err
	}
	built.Title, built.Description = ptr(p.title), ptr(p.description)
	built.Datasource = ptr(source())
	add := func(refID string, query query) {
		query.RawSQL = strings.ReplaceAll(query.RawSQL, "$empty", strings.ReplaceAll(p.empty, "'", "''"))
		query.RefID = refID
		query.Datasource = source()
		built.Targets = append(built.Targets, dataquery{query})
	}
	for index, query := range p.queries {
		add(string(rune('A'+index)), query)
	}
	if p.words != nil {
		add("words", *p.words)
	}
	if p.last != "" {
		built.TimeFrom, built.HideTimeOverride = ptr(p.last), ptr(true)
	}
	built.Links = p.links
	if built.FieldConfig == nil {
		built.FieldConfig = dashboard.NewFieldConfigSource()
	}
	built.FieldConfig.Defaults.NoValue = ptr(p.empty)
	built.Transformations = transformations(built.Type)
	if built.Type == "stat" {
		// Without this, the courses behind the numbers share one scale in spite of their different units.
		built.FieldConfig.Defaults.FieldMinMax = ptr(true)
	}
	if p.opensNight {
		built.FieldConfig.Overrides = append(built.FieldConfig.Overrides, allFields().set("links", nightOfDay()).override())
	}
	if text, isOther := emptyCell[built.Type]; isOther {
		built.FieldConfig.Overrides = append(built.FieldConfig.Overrides, allFields().set("noValue", text).override())
	}
	built.FieldConfig.Defaults.Mappings = append(built.FieldConfig.Defaults.Mappings, p.mappings...)
	for _, field := range p.fields {
		built.FieldConfig.Overrides = append(built.FieldConfig.Overrides, field.override())
	}
	return built, nil
}

// The text of an empty cell by kind of panel, where it is not the text for a panel without data. States
// need nil: their legend lists a text, and they read an empty text as the number 0.
var emptyCell = map[string]any{"table": "–", "state-timeline": nil, "status-history": nil}

// The column of a trend's statement with its lines: a JSON object of a value for each name.
const trendLines = "lines"

// The transformations that let a kind of panel show its own words without data.
func transformations(kind string) []dashboard.DataTransformerConfig {
	// A query without rows returns a frame without fields. Heat maps fail on it, and states show a text
	// of Grafana's. This drops it.
	withFields := dashboard.DataTransformerConfig{
		Id:      "filterFieldsByName",
		Options: map[string]any{"include": map[string]string{"pattern": ".*"}},
	}
	// A table with times keeps its fields, so statements of states return milliseconds.
	times := dashboard.DataTransformerConfig{
		Id: "convertFieldType",
		Options: map[string]any{"conversions": []map[string]string{
			{"targetField": "milliseconds", "destinationType": "time"},
		}},
	}
	// A trend draws empty axes for empty lines. Without any line, it shows its words, so statements of
	// trends return lines as JSON, which becomes fields only if there are rows.
	lines := dashboard.DataTransformerConfig{
		Id:      "extractFields",
		Options: map[string]any{"source": trendLines, "format": "json", "replace": false},
	}
	onlyLines := dashboard.DataTransformerConfig{
		Id:      "filterFieldsByName",
		Options: map[string]any{"exclude": map[string]any{"names": []string{trendLines, "time"}}},
	}
	switch kind {
	case "heatmap":
		return []dashboard.DataTransformerConfig{withFields}
	case "trend":
		return []dashboard.DataTransformerConfig{lines, onlyLines}
	case "state-timeline", "status-history":
		return []dashboard.DataTransformerConfig{withFields, times}
	default:
		return nil
	}
}

// Display options of one field, or of all fields of one query.
type field struct {
	matcher    dashboard.MatcherConfig
	properties []dashboard.DynamicConfigValue
}

// Options of the field with this name.
func named(name string) field {
	return field{matcher: dashboard.MatcherConfig{Id: "byName", Options: name}}
}

// Options of every field.
func allFields() field {
	return field{matcher: dashboard.MatcherConfig{Id: "byRegexp", Options: "/.*/"}}
}

// Options of all fields of the query with this letter.
func ofQuery(letter string) field {
	return field{matcher: dashboard.MatcherConfig{Id: "byFrameRefID", Options: letter}}
}

func (f field) set(id string, value any) field {
	f.properties = append(f.properties[:len(f.properties):len(f.properties)],
		dashboard.DynamicConfigValue{Id: id, Value: value})
	return f
}

func (f field) title(title string) field { return f.set("displayName", title) }
func (f field) unit(unit string) field   { return f.set("unit", unit) }
func (f field) decimals(count int) field { return f.set("decimals", count) }
func (f field) rightAxis() field         { return f.set("custom.axisPlacement", "right") }

// Draws a field as bars. The axis of the whole panel begins at zero: with a limit of its own, the
// field would get an axis of its own.
func (f field) bars() field { return f.set("custom.drawStyle", "bars").set("custom.fillOpacity", 60) }

// Hides a column of a table. Links can still read it.
func (f field) hidden() field { return f.set("custom.hideFrom.viz", true) }

// Leaves a field out of the legend, for the edges of a band.
func (f field) notInLegend() field {
	return f.set("custom.hideFrom", map[string]bool{"legend": true, "tooltip": false, "viz": false})
}

func (f field) width(pixels int) field { return f.set("custom.width", pixels) }
func (f field) dashed() field {
	return f.set("custom.lineStyle", map[string]any{"fill": "dash", "dash": []int{6, 6}}).set("custom.lineWidth", 1)
}
func (f field) noLine() field { return f.set("custom.lineWidth", 0) }
func (f field) fillTo(name string) field {
	return f.set("custom.fillBelowTo", name).set("custom.fillOpacity", 12).noLine()
}
func (f field) mapped(m ...any) field { return f.set("mappings", m) }
func (f field) steps(t thresholds) field {
	return f.set("thresholds", t).set("color", map[string]any{"mode": "thresholds"})
}
func (f field) colour(colour string) field {
	return f.set("color", map[string]any{"mode": "fixed", "fixedColor": colour})
}

func (f field) override() dashboard.DashboardFieldConfigSourceOverrides {
	return dashboard.DashboardFieldConfigSourceOverrides{
		Matcher:    f.matcher,
		Properties: f.properties,
	}
}
