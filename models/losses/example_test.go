package losses_test

import (
	"fmt"

	"bierbench/models/losses"
)

// A loss is looked up by its name; a configuration names one and sets its constants.
func ExampleFor() {
	config := losses.DefaultConfig()
	config.Loss, config.Boosting = "proxy_anchor", losses.BoostingGradient
	config.Constants = map[string]float64{"alpha": 16}
	if err := config.Validate(); err != nil {
		panic(err)
	}
	loss, err := losses.For(config)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s, %d proxy a class\n", loss.Title, loss.Proxies())
	for _, c := range loss.Constants {
		fmt.Printf("%s is %g unless it is set\n", c.Name, c.Default)
	}
	// Output:
	// Proxy-Anchor, 1 proxy a class
	// alpha is 32 unless it is set
	// delta is 0.1 unless it is set
}
