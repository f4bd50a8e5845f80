// Command control-plane runs a real etcd, kube-apiserver and kube-controller-manager in one process, on loopback, for
// tests: what envtest does, but built from Go modules.
//
//	control-plane -kubeconfigs DIR [-user NAME[:GROUP,...]]... [-- kube-apiserver flags]
//
// DIR gets `admin.kubeconfig` (of the group system:masters) and one for each user. A line "READY url=… startup=…" on
// stdout says that /readyz is OK. It stops on SIGTERM, SIGINT, or the end of stdin, when that is a pipe. What it writes
// else is in a directory of its own, removed on exit.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc/grpclog"
)

// readyTimeout is how long the servers may take to start on a slow machine.
const readyTimeout = 2 * time.Minute

type multi []string

func (m *multi) String() string     { return strings.Join(*m, " ") }
func (m *multi) Set(s string) error { *m = append(*m, s); return nil }

func init() {
	// Must happen before any gRPC is in use: etcd's client logs each hiccup of a start-up to stderr.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, os.Stderr))
}

func main() {
	var users multi
	kubeconfigs := flag.String("kubeconfigs", "", "`DIR` to write the kubeconfigs to")
	flag.Var(&users, "user", "`NAME[:GROUP,...]`: sign a client certificate and write NAME.kubeconfig with it (repeatable)")
	flag.Parse()
	if err := run(*kubeconfigs, users, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "control-plane:", err)
		os.Exit(1)
	}
}

func run(kubeconfigs string, users, apiArgs []string) (err error) {
	start := time.Now()
	if kubeconfigs == "" {
		return errors.New("-kubeconfigs is needed")
	}
	if err := os.MkdirAll(kubeconfigs, 0o700); err != nil {
		return err
	}

	// stop asks everything to end; the servers have contexts of their own below, so that they end in order.
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	if info, err := os.Stdin.Stat(); err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0 {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
	}

	dir, err := os.MkdirTemp("", "control-plane-")
	if err != nil {
		return err
	}
	defer func() {
		for range 5 { // a server that is still running may write in between
			if os.RemoveAll(dir) == nil {
				return
			}
		}
	}()

	etcd, etcdURL, err := startEtcd(filepath.Join(dir, "etcd"))
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	// A kube-apiserver that is stopped half started ends the process by itself (klog.Fatal in a post-start hook), and
	// etcd waits seconds for its clients. So until it is ready, nothing is stopped in order: main's os.Exit does it.
	ready := false
	defer func() {
		if ready {
			etcd.Close()
		}
	}()

	pki, err := newPKI(dir)
	if err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	// The listener is made here and handed over, so that no other process can take the port in between.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := "https://" + listener.Addr().String()
	admin := filepath.Join(kubeconfigs, "admin.kubeconfig")
	if err := pki.writeKubeconfig(admin, server, "admin", []string{"system:masters"}); err != nil {
		return err
	}
	for _, user := range users {
		name, groups, _ := strings.Cut(user, ":")
		file := filepath.Join(kubeconfigs, name+".kubeconfig")
		separator := func(r rune) bool { return r == ',' }
		if err := pki.writeKubeconfig(file, server, name, strings.FieldsFunc(groups, separator)); err != nil {
			return err
		}
	}

	// Deferred calls run last first: controllers, API server, etcd, directory.
	apiCtx, apiStop := context.WithCancel(context.Background())
	apiDone := make(chan error, 1)
	go func() {
		defer close(apiDone)
		apiDone <- runAPIServer(apiCtx, listener, append(apiServerArgs(dir, pki, listener, etcdURL), apiArgs...))
	}()
	defer func() {
		if ready {
			apiStop()
			waitFor(apiDone, 10*time.Second)
		}
	}()
	if err := waitReady(stop, apiDone, admin, readyTimeout); err != nil {
		return err
	}
	ready = true

	controllersCtx, controllersStop := context.WithCancel(context.Background())
	controllersDone := make(chan error, 1)
	go func() {
		defer close(controllersDone)
		controllersDone <- runControllers(controllersCtx, admin, pki)
	}()
	defer func() {
		controllersStop()
		waitFor(controllersDone, 5*time.Second)
	}()

	fmt.Printf("READY url=%s startup=%.2fs\n", server, time.Since(start).Seconds())
	select {
	case <-stop.Done():
		return nil
	case err = <-apiDone:
		return fmt.Errorf("kube-apiserver ended: %v", err)
	case err = <-controllersDone:
		return fmt.Errorf("kube-controller-manager ended: %v", err)
	case err = <-etcd.Err():
		return fmt.Errorf("etcd ended: %v", err)
	}
}

func waitFor(done <-chan error, limit time.Duration) {
	select {
	case <-done:
	case <-time.After(limit):
	}
}
