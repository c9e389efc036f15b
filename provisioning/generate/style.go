package main

import (
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/statushistory"
	grafanatable "github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Colours that stay apart under protanopia, deuteranopia and tritanopia (CIEDE2000 of at least 15
// within a group), with enough contrast on Grafana's dark and light panels.
const (
	attention = "#D9772B"
	good      = "#66717E"
	optimal   = "#4FA3F0"

	sleepColour     = "#7A57E8"
	readinessColour = "#34B39A"
	activityColour  = "#C0622B"

	deep  = "#5B4FE8"
	light = "#6AABCB"
	rem   = "#B3247F"
	awake = "#D29225"

	asleepHeart  = "#5F48DC"
	restingHeart = "#25B1B6"
	awakeHeart   = "#C4A017"
	workoutHeart = "#9A4A2A"

	highIntensity   = "#9A4A2A"
	mediumIntensity = "#E58E26"
	lowIntensity    = "#89A5B2"

	stressColour   = "#C2551F"
	recoveryColour = "#35A7E0"
	neutral        = "#8E99A6"
	beforeColour   = "#C4A017"
)

type thresholds = dashboard.ThresholdsConfig

func step(value float64, colour string) dashboard.Threshold {
	return dashboard.Threshold{Value: ptr(value), Color: colour}
}

// Absolute thresholds from a colour for low values and further steps.
func from(colour string, steps ...dashboard.Threshold) thresholds {
	return thresholds{
		Mode:  dashboard.ThresholdsModeAbsolute,
		Steps: append([]dashboard.Threshold{{Color: colour}}, steps...),
	}
}

// Oura's bands of scores: optimal from 85, good from 70, pay attention below. A missing score has no colour.
var bands = from("text", step(0, attention), step(70, good), step(85, optimal))

type built[T any] struct{ value T }

func (b built[T]) Build() (T, error) { return b.value, nil }

// Wraps a finished value for a builder that expects another builder.
func just[T any](value T) cog.Builder[T] { return built[T]{value} }

func byThresholds() cog.Builder[dashboard.FieldColor] {
	return dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdThresholds)
}

func fixed(colour string) cog.Builder[dashboard.FieldColor] {
	return dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdFixed).FixedColor(colour)
}

func legend() cog.Builder[common.VizLegendOptions] {
	return common.NewVizLegendOptionsBuilder().
		DisplayMode(common.LegendDisplayModeList).
		Placement(common.LegendPlacementBottom).
		ShowLegend(true)
}

func noLegend() cog.Builder[common.VizLegendOptions] {
	return common.NewVizLegendOptionsBuilder().
		DisplayMode(common.LegendDisplayModeList).
		Placement(common.LegendPlacementBottom).
		ShowLegend(false)
}

func tooltip() cog.Builder[common.VizTooltipOptions] {
	return common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderNone)
}

// Lines over time.
func lines() *timeseries.PanelBuilder {
	return timeseries.NewPanelBuilder().
		Legend(legend()).
		Tooltip(tooltip()).
		LineWidth(2).
		ShowPoints(common.VisibilityModeAuto).
		PointSize(5).
		AxisGridShow(true)
}

// Bars over time, from zero: the length of a bar is its value.
func bars() *timeseries.PanelBuilder {
	return lines().DrawStyle(common.GraphDrawStyleBars).LineWidth(0).AxisSoftMin(0)
}

// Bars over time, on top of each other: parts of a whole.
func stackedBars() *timeseries.PanelBuilder {
	return bars().
		FillOpacity(85).
		ShowPoints(common.VisibilityModeNever).
		Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal).Group("A"))
}

// The newest value of each field, with its course behind it. At most three fit on a telephone.
func numbers() *stat.PanelBuilder {
	return stat.NewPanelBuilder().
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).
		GraphMode(common.BigValueGraphModeNone).
		ColorMode(common.BigValueColorModeNone).
		TextMode(common.BigValueTextModeValueAndName).
		JustifyMode(common.BigValueJustifyModeAuto).
		Orientation(common.VizOrientationAuto).
		WideLayout(false)
}

// The newest values of the columns with these names, of text columns too.
func numbersOf(names ...string) *stat.PanelBuilder {
	return numbers().ReduceOptions(common.NewReduceDataOptionsBuilder().
		Calcs([]string{"lastNotNull"}).
		Fields("/^(" + strings.Join(names, "|") + ")$/"))
}

// Horizontal bars, one for each row.
func horizontalBars() *bargauge.PanelBuilder {
	return bargauge.NewPanelBuilder().
		Orientation(common.VizOrientationHorizontal).
		DisplayMode(common.BarGaugeDisplayModeBasic).
		ValueMode(common.BarGaugeValueModeText).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Values(true).Calcs([]string{"lastNotNull"})).
		ShowUnfilled(true)
}

// Horizontal bars of scores, from 0 to 100 in the colours of Oura's bands.
func scoreBars() *bargauge.PanelBuilder {
	return horizontalBars().Min(0).Max(100).Thresholds(just(bands)).ColorScheme(byThresholds())
}

func rows() *grafanatable.PanelBuilder {
	return grafanatable.NewPanelBuilder().
		ShowHeader(true).
		MinWidth(95).
		CellHeight(common.TableCellHeightSm)
}

// States over time, each lasting until the next one.
func states() *statetimeline.PanelBuilder {
	return statetimeline.NewPanelBuilder().
		Legend(noLegend()).
		Tooltip(tooltip()).
		MergeValues(true).
		ShowValue(common.VisibilityModeNever).
		RowHeight(0.9).
		LineWidth(0).
		ColorScheme(fixed(neutral)).
		FillOpacity(100).
		DisablePagination()
}

// One cell for each value.
func cells() *statushistory.PanelBuilder {
	return statushistory.NewPanelBuilder().
		Legend(noLegend()).
		Tooltip(tooltip()).
		ShowValue(common.VisibilityModeNever).
		RowHeight(0.9).
		LineWidth(0).
		ColorScheme(fixed(neutral)).
		FillOpacity(100)
}

// Texts and colours of single values.
func values(pairs ...value) any {
	options := map[string]any{}
	for index, pair := range pairs {
		option := map[string]any{"index": index, "text": pair.text}
		if pair.colour != "" {
			option["color"] = pair.colour
		}
		options[pair.value] = option
	}
	return map[string]any{"type": "value", "options": options}
}

type value struct{ value, text, colour string }

var stages = values(
	value{"deep", "Deep", deep},
	value{"light", "Light", light},
	value{"rem", "REM", rem},
	value{"awake", "Awake", awake},
)

var stressDays = values(
	value{"restored", "Restored", recoveryColour},
	value{"normal", "Normal", neutral},
	value{"stressful", "Stressful", stressColour},
)

var resilience = values(
	value{"limited", "Limited", attention},
	value{"adequate", "Adequate", "#B08D57"},
	value{"solid", "Solid", good},
	value{"strong", "Strong", "#5A8FBF"},
	value{"exceptional", "Exceptional", optimal},
)

// Hours from midnight as clock times: -1.25 is 22:45 of the evening before. A mapping covers a
// quarter of an hour, because Grafana has no unit for times of day.
func clock() []dashboard.ValueMapping {
	var mappings []dashboard.ValueMapping
	for quarter := -8 * 4; quarter < 16*4; quarter++ {
		minutes := (quarter*15 + 24*60) % (24 * 60)
		mappings = append(mappings, dashboard.ValueMapping{RangeMap: &dashboard.RangeMap{
			Type: "range",
			Options: dashboard.DashboardRangeMapOptions{
				From:   ptr(float64(quarter) / 4),
				To:     ptr(float64(quarter+1)/4 - 0.001),
				Result: dashboard.ValueMappingResult{Text: ptr(fmt.Sprintf("%d:%02d", minutes/60, minutes%60))},
			},
		}})
	}
	return mappings
}
