//go:build bench

package host

import (
	database "database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/data/sqlutil"
	_ "github.com/mattn/go-sqlite3"
	_ "modernc.org/sqlite"
)

// The measurements of benches/queries, in the way of a Go plugin: database/sql, the SDK's sqlutil,
// Arrow.

const (
	rows       = 1_000_000
	heartRates = "SELECT time, bpm, source FROM heartrate ORDER BY time LIMIT 1000000"
	// plainHeartRates has the time as a number: the drivers and sqlutil disagree about columns
	// declared TIMESTAMP.
	plainHeartRates = "SELECT time + 0 AS at, bpm, source FROM heartrate ORDER BY time LIMIT 1000000"
)

// tenYears is the database that cargo bench creates.
func tenYears(b testing.TB) string {
	b.Helper()
	path, err := filepath.Abs(filepath.FromSlash("../../target/bench-data/1/oura/oura.db"))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		b.Fatalf("%v\nMake it with cargo bench.", err)
	}
	return path
}

func BenchmarkMillionHeartRatesInGo(b *testing.B) {
	path := tenYears(b)
	for name, driver := range map[string]string{"modernc": "sqlite", "mattn": "sqlite3"} {
		b.Run(name, func(b *testing.B) {
			connection, err := database.Open(driver, "file:"+path+"?mode=ro")
			if err != nil {
				b.Fatal(err)
			}
			defer connection.Close()
			for b.Loop() {
				found, err := connection.Query(plainHeartRates)
				if err != nil {
					b.Fatal(err)
				}
				frame, err := sqlutil.FrameFromRows(found, rows)
				if err != nil {
					b.Fatal(err)
				}
				if frame.Rows() != rows {
					b.Fatalf("%d rows", frame.Rows())
				}
				if _, err := frame.MarshalArrow(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLongToWideInGo(b *testing.B) {
	series := []string{"awake", "rest", "sleep", "session", "workout"}
	const times = 200_000
	var timestamps []time.Time
	var labels []string
	var values []float64
	for at := range times {
		for _, label := range series {
			timestamps = append(timestamps, time.Unix(int64(1_600_000_000+300*at), 0))
			labels = append(labels, label)
			values = append(values, float64(at%97+len(label)))
		}
	}
	long := data.NewFrame("",
		data.NewField("time", nil, timestamps),
		data.NewField("source", nil, labels),
		data.NewField("bpm", nil, values),
	)
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			if _, err := data.LongToWide(long, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoded", func(b *testing.B) {
		for b.Loop() {
			wide, err := data.LongToWide(long, nil)
			if err != nil {
				b.Fatal(err)
			}
			if wide.Rows() != times || len(wide.Fields) != 1+len(series) {
				b.Fatalf("%d × %d", wide.Rows(), len(wide.Fields))
			}
			if _, err := wide.MarshalArrow(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
