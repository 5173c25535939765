// Verifies the tokens of each case with the Java libraries, as their documentation says.

import com.auth0.jwk.UrlJwkProvider;
import com.auth0.jwt.algorithms.Algorithm;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.source.ImmutableJWKSet;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import io.fusionauth.jwks.JSONWebKeySetHelper;
import io.fusionauth.jwks.domain.JSONWebKey;
import io.jsonwebtoken.Jwts;
import io.jsonwebtoken.security.Jwk;
import io.jsonwebtoken.security.Jwks;
import java.io.File;
import java.net.URL;
import java.security.PublicKey;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jose4j.jwk.JsonWebKeySet;
import org.jose4j.jwt.consumer.JwtConsumerBuilder;
import org.jose4j.keys.resolvers.JwksVerificationKeyResolver;

public class Probe {
  static final ObjectMapper JSON = new ObjectMapper();

  interface Verify {
    void verify(String set, URL url, String token, String alg, String kid) throws Exception;
  }

  static void auth0(String set, URL url, String token, String alg, String kid) throws Exception {
    PublicKey key = new UrlJwkProvider(url).get(kid).getPublicKey();
    Algorithm algorithm = switch (alg) {
      case "RS256" -> Algorithm.RSA256((RSAPublicKey) key, null);
      case "RS384" -> Algorithm.RSA384((RSAPublicKey) key, null);
      case "RS512" -> Algorithm.RSA512((RSAPublicKey) key, null);
      case "PS256" -> Algorithm.RSA256PSS((RSAPublicKey) key, null);
      case "PS384" -> Algorithm.RSA384PSS((RSAPublicKey) key, null);
      case "PS512" -> Algorithm.RSA512PSS((RSAPublicKey) key, null);
      case "ES256" -> Algorithm.ECDSA256((ECPublicKey) key, null);
      case "ES384" -> Algorithm.ECDSA384((ECPublicKey) key, null);
      case "ES512" -> Algorithm.ECDSA512((ECPublicKey) key, null);
      default -> throw new IllegalArgumentException("java-jwt has no such algorithm");
    };
    com.auth0.jwt.JWT.require(algorithm).withAudience("client").build().verify(token);
  }

  static void fusionauth(String set, URL url, String token, String alg, String kid)
      throws Exception {
    Map<String, io.fusionauth.jwt.Verifier> verifiers = new LinkedHashMap<>();
    for (JSONWebKey key : JSONWebKeySetHelper.retrieveKeysFromJWKS(url.toString())) {
      if (kid == null || !kid.equals(key.kid)) {
        continue;
      }
      PublicKey parsed = JSONWebKey.parse(key);
      verifiers.put(key.kid, switch (key.kty) {
        case EC -> io.fusionauth.jwt.ec.ECVerifier.newVerifier(parsed);
        case OKP -> io.fusionauth.jwt.ed.EdDSAVerifier.newVerifier(parsed);
        default -> alg.startsWith("PS")
            ? io.fusionauth.jwt.rsa.RSAPSSVerifier.newVerifier(parsed)
            : io.fusionauth.jwt.rsa.RSAVerifier.newVerifier(parsed);
      });
    }
    io.fusionauth.jwt.domain.JWT.getDecoder().decode(token, verifiers);
  }

  static void jjwt(String set, URL url, String token, String alg, String kid) {
    var keys = Jwks.setParser().build().parse(set);
    Jwts.parser().keyLocator(header -> {
      for (Jwk<?> key : keys) {
        if (kid != null && kid.equals(key.getId())) {
          return key.toKey();
        }
      }
      return null;
    }).build().parseSignedClaims(token);
  }

  static void jose4j(String set, URL url, String token, String alg, String kid) throws Exception {
    var resolver = new JwksVerificationKeyResolver(new JsonWebKeySet(set).getJsonWebKeys());
    new JwtConsumerBuilder().setVerificationKeyResolver(resolver).setExpectedAudience("client")
        .build().processToClaims(token);
  }

  static void nimbus(String set, URL url, String token, String alg, String kid) throws Exception {
    var processor = new DefaultJWTProcessor<SecurityContext>();
    processor.setJWSKeySelector(new JWSVerificationKeySelector<>(
        JWSAlgorithm.parse(alg), new ImmutableJWKSet<>(JWKSet.parse(set))));
    processor.process(token, null);
  }

  /** Returns the version in the name of a jar. */
  static String versionOf(String artifact) {
    for (String path : System.getProperty("java.class.path").split(File.pathSeparator)) {
      String name = new File(path).getName();
      if (name.startsWith(artifact + "-")) {
        return name.substring(artifact.length() + 1, name.length() - ".jar".length());
      }
    }
    throw new IllegalStateException(artifact);
  }

  static String errorOf(Verify verify, JsonNode of, String token) {
    try {
      JsonNode header = JSON.readTree(Base64.getUrlDecoder().decode(token.split("\\.")[0]));
      verify.verify(of.get("set").asText(), new URL(of.get("url").asText()), token,
          header.get("alg").asText(), header.path("kid").asText(null));
      return null;
    } catch (Exception | LinkageError error) {
      String words = error.toString();
      return words.substring(0, Math.min(words.length(), 200));
    }
  }

  public static void main(String[] args) throws Exception {
    Map<String, Verify> verifiers = new LinkedHashMap<>();
    verifiers.put("fusionauth-jwt", Probe::fusionauth);
    verifiers.put("jjwt-api", Probe::jjwt);
    verifiers.put("jose4j", Probe::jose4j);
    verifiers.put("jwks-rsa", Probe::auth0);
    verifiers.put("nimbus-jose-jwt", Probe::nimbus);
    JsonNode cases = JSON.readTree(new File(args[0]));
    for (var verifier : verifiers.entrySet()) {
      String artifact = verifier.getKey();
      String name = switch (artifact) {
        case "jjwt-api" -> "jjwt";
        case "jwks-rsa" -> "jwks-rsa-java";
        default -> artifact;
      };
      for (JsonNode of : cases) {
        List<String> errors = new ArrayList<>();
        for (JsonNode token : of.get("tokens")) {
          errors.add(errorOf(verifier.getValue(), of, token.asText()));
        }
        System.out.println(JSON.writeValueAsString(Map.of("verifier", name,
            "version", versionOf(artifact), "case", of.get("name").asText(), "errors", errors)));
      }
    }
  }
}
