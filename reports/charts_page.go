package reports

import "bierbench/reports/internal/chart"

// reportCharts has every chart of a report, by the section that shows it.
type reportCharts struct {
	Recall, Size, Worth, Training, Rate, Time []chart.Chart
	Ensembles                                 []chartKind
}

// charts returns the report's charts, each under a name of its own.
func (r *Report) charts() reportCharts {
	c := reportCharts{
		Recall: r.recallCharts(), Size: r.sizeCharts(), Worth: r.worthCharts(), Training: r.trainingCharts(), Rate: r.rateCharts(),
		Time: r.timeCharts(), Ensembles: r.ensembleCharts(),
	}
	lists := []*[]chart.Chart{&c.Recall, &c.Size, &c.Worth, &c.Training, &c.Rate, &c.Time}
	for i := range c.Ensembles {
		lists = append(lists, &c.Ensembles[i].Charts)
	}
	numberCharts(lists...)
	return c
}

// all returns the charts in the order of the page.
func (c reportCharts) all() []chart.Chart {
	var list []chart.Chart
	for _, part := range [][]chart.Chart{c.Recall, c.Size, c.Worth, c.Training, c.Rate, c.Time} {
		list = append(list, part...)
	}
	for _, k := range c.Ensembles {
		list = append(list, k.Charts...)
	}
	return list
}

// ensembleRoom is the number of bytes that the charts of single ensembles may take in a page. With
// hundreds of groups their files serve better.
const ensembleRoom = 700_000

// split divides the kinds of the ensembles' charts into those drawn in the page and those that are
// files only. A kind is never divided.
func (c reportCharts) split() (drawn, beside []chartKind) {
	room := ensembleRoom
	for _, k := range c.Ensembles {
		size := 0
		for _, x := range k.Charts {
			size += len(x.SVG())
		}
		switch {
		case len(k.Charts) == 0:
		case size <= room:
			room -= size
			drawn = append(drawn, k)
		default:
			beside = append(beside, k)
		}
	}
	return drawn, beside
}
