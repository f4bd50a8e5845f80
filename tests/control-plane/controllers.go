package main

import (
	"context"

	"github.com/spf13/pflag"

	"k8s.io/kubernetes/cmd/kube-controller-manager/app"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
)

// runControllers does what app.NewControllerManagerCommand's RunE does, with a context of ours, and without applying the
// logging options and feature gates again: kube-apiserver, in this process, has applied its own.
func runControllers(ctx context.Context, kubeconfig string, pki *pki) error {
	s, err := options.NewKubeControllerManagerOptions()
	if err != nil {
		return err
	}
	all, off, aliases := app.KnownControllers(), app.ControllersDisabledByDefault(), app.ControllerAliases()
	fs := pflag.NewFlagSet("kube-controller-manager", pflag.ContinueOnError)
	for _, f := range s.Flags(all, off, aliases).FlagSets {
		fs.AddFlagSet(f)
	}
	args := []string{
		"--kubeconfig=" + kubeconfig,
		"--leader-elect=false",
		"--secure-port=0", // no health or metrics port of its own
		"--use-service-account-credentials=false",
		"--kube-api-qps=500", "--kube-api-burst=1000",
		"--service-account-private-key-file=" + pki.path("sa.key"),
		"--root-ca-file=" + pki.path("ca.crt"),
		"--cluster-signing-cert-file=" + pki.path("ca.crt"),
		"--cluster-signing-key-file=" + pki.path("ca.key"),
	}
	if err := fs.Parse(args); err != nil {
		return err
	}
	c, err := s.Config(ctx, all, off, aliases)
	if err != nil {
		return err
	}
	return app.Run(ctx, c.Complete())
}
