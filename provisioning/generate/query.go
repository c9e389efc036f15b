package main

import (
	"embed"
	"fmt"
	"reflect"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

//go:embed sql
var statements embed.FS

// A query of the plugin, as its editor saves it.
type query struct {
	RefID         string               `json:"refId"`
	Datasource    common.DataSourceRef `json:"datasource"`
	QueryType     string               `json:"queryType"`
	RawSQL        string               `json:"rawSql,omitempty"`
	Format        string               `json:"format,omitempty"`
	Metrics       []string             `json:"metrics,omitempty"`
	Aggregate     string               `json:"aggregate,omitempty"`
	Every         string               `json:"every,omitempty"`
	MovingAverage int                  `json:"movingAverage,omitempty"`
	Baseline      int                  `json:"baseline,omitempty"`
	Shift         int                  `json:"shift,omitempty"`
	Kinds         []string             `json:"kinds,omitempty"`
}

func (query) ImplementsDataqueryVariant() {}
func (query) DataqueryType() string       { return pluginType }
func (query) Validate() error             { return nil }

// A table from the statement in sql/<name>.sql, with `replacements`: old and new texts in turn.
func table(name string, replacements ...string) query {
	return query{QueryType: "sql", Format: "table", RawSQL: statement(name, replacements...)}
}

// Time series from the statement in sql/<name>.sql.
func series(name string, replacements ...string) query {
	return query{QueryType: "sql", Format: "time_series", RawSQL: statement(name, replacements...)}
}

// Metrics by name, averaged over steps of `every`.
func metrics(every string, names ...string) query {
	return query{QueryType: "metrics", Metrics: names, Aggregate: "avg", Every: every}
}

func (q query) mean(days int) query     { q.MovingAverage = days; return q }
func (q query) baseline(days int) query { q.Baseline = days; return q }
func (q query) aggregate(name string) query {
	q.Aggregate = name
	return q
}

func statement(name string, replacements ...string) string {
	content, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(fmt.Sprintf("missing statement: %v", err))
	}
	text := strings.NewReplacer(replacements...).Replace(string(content))
	return strings.TrimSpace(strings.ReplaceAll(text, groupByStep, groupByKnownStep))
}

const (
	// The step of the variable "every" in a statement.
	groupByStep = "$__dayGroup(day, '$every')"
	// The same for any text in the variable, which a URL can set. The macro rejects unknown units.
	groupByKnownStep = "CASE '$every' WHEN 'week' THEN $__dayGroup(day, 'week')\n" +
		"  WHEN 'month' THEN $__dayGroup(day, 'month') ELSE day END"
)

// Annotations with a switch above the panels.
type annotation struct {
	name, colour string
	isOn         bool
	query        query
}

// Annotations of one kind, off at first.
func events(name, kind, colour string) annotation {
	return annotation{name: name, colour: colour, query: query{QueryType: "annotations", Kinds: []string{kind}}}
}

func (a annotation) on() annotation { a.isOn = true; return a }

func (a annotation) build() dashboard.AnnotationQuery {
	built := *dashboard.NewAnnotationQuery()
	built.Name, built.Enable, built.IconColor = a.name, a.isOn, a.colour
	built.Hide, built.BuiltIn, built.Placement = ptr(false), nil, nil
	built.Datasource = ptr(source())
	a.query.RefID, a.query.Datasource = a.name, source()
	built.Target = dataquery{a.query}
	return built
}

// A query as the foundation SDK expects it.
type dataquery struct{ query }

func (q dataquery) Equals(other variants.Dataquery) bool { return reflect.DeepEqual(q, other) }

// Annotations of moves to another time zone, because a move shifts clock times and sleep.
func moves() annotation {
	return annotation{name: "Time zone moves", colour: optimal, query: table("annotations/time_zone")}
}
