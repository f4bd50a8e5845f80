package main

import (
	"runtime/debug"
	"strings"
	"sync/atomic"
	_ "unsafe" // for go:linkname
)

// A build without -ldflags "-X k8s.io/component-base/version.gitVersion=v1.x.y" calls itself v0.0.0-master+$Format:%H$,
// which is no semantic version: clients that read the server's version fail then. SetDynamicVersion refuses any other
// number, hence the variable behind it.
//
//go:linkname dynamicGitVersion k8s.io/component-base/version.dynamicGitVersion
var dynamicGitVersion atomic.Value

func init() {
	if v, _ := dynamicGitVersion.Load().(string); !strings.Contains(v, "$Format") {
		return // set by -ldflags
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "k8s.io/kubernetes" {
				dynamicGitVersion.Store(module.Version)
			}
		}
	}
}
