//go:build integration

package backbones

import "testing"

func TestIntegrationCached(t *testing.T) { checkCached(t, convnet()) }
