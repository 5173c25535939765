// Verifies the tokens of each case with the Go libraries, as their documentation says.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwk"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"
)

// testCase is a set and the tokens to verify with it.
type testCase struct {
	Name   string   `json:"name"`
	Set    string   `json:"set"`
	URL    string   `json:"url"`
	Tokens []string `json:"tokens"`
}

// outcome has null for a token that was verified, or else the error.
type outcome struct {
	Verifier string    `json:"verifier"`
	Version  string    `json:"version"`
	Case     string    `json:"case"`
	Errors   []*string `json:"errors"`
}

func goJose(of testCase, token, alg string) error {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(of.Set), &set); err != nil {
		return err
	}
	parsed, err := josejwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		return err
	}
	return parsed.Claims(set, &josejwt.Claims{})
}

func jwx(of testCase, token, _ string) error {
	set, err := jwk.Parse([]byte(of.Set))
	if err != nil {
		return err
	}
	_, err = jwxjwt.Parse([]byte(token), jwxjwt.WithKeySet(set))
	return err
}

func keyfuncClient(of testCase, token, _ string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client, err := keyfunc.NewDefaultCtx(ctx, []string{of.URL})
	if err != nil {
		return err
	}
	_, err = jwt.Parse(token, client.Keyfunc)
	return err
}

func goOIDC(of testCase, token, alg string) error {
	ctx := context.Background()
	config := oidc.Config{ClientID: "client", SupportedSigningAlgs: []string{alg}}
	verifier := oidc.NewVerifier("https://issuer.example", oidc.NewRemoteKeySet(ctx, of.URL), &config)
	_, err := verifier.Verify(ctx, token)
	return err
}

var verifiers = []struct {
	name, module string
	verify       func(of testCase, token, alg string) error
}{
	{"go-jose", "github.com/go-jose/go-jose/v4", goJose},
	{"go-oidc", "github.com/coreos/go-oidc/v3", goOIDC},
	{"jwx", "github.com/lestrrat-go/jwx/v3", jwx},
	{"keyfunc", "github.com/MicahParks/keyfunc/v3", keyfuncClient},
}

func algOf(token string) string {
	parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	// The parser refuses an alg that it does not know, but has read the header.
	if parsed == nil || err != nil && !errors.Is(err, jwt.ErrTokenUnverifiable) {
		panic(err)
	}
	return fmt.Sprint(parsed.Header["alg"])
}

func versionOf(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return strings.TrimPrefix(dependency.Version, "v")
		}
	}
	panic(module)
}

func main() {
	// keyfunc logs what it cannot read.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	var cases []testCase
	if err := json.Unmarshal(text, &cases); err != nil {
		panic(err)
	}
	out := json.NewEncoder(os.Stdout)
	for _, verifier := range verifiers {
		version := versionOf(verifier.module)
		for _, of := range cases {
			said := outcome{verifier.name, version, of.Name, []*string{}}
			for _, token := range of.Tokens {
				var words *string
				if err := verifier.verify(of, token, algOf(token)); err != nil {
					text := fmt.Sprintf("%.200s", err.Error())
					words = &text
				}
				said.Errors = append(said.Errors, words)
			}
			if err := out.Encode(said); err != nil {
				panic(err)
			}
		}
	}
}
