// For each key of keys.json: verifies the token in ours/ALG, writes a token to theirs/ALG, and prints the algorithm.
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSSigner;
import com.nimbusds.jose.crypto.factories.DefaultJWSSignerFactory;
import com.nimbusds.jose.crypto.factories.DefaultJWSVerifierFactory;
import com.nimbusds.jose.jwk.AsymmetricJWK;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.OctetSequenceKey;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Key;
import java.util.Date;

class Nimbus {
    public static void main(String[] arguments) throws Exception {
        for (JWK jwk : JWKSet.load(new File("keys.json")).getKeys()) {
            JWSAlgorithm alg = JWSAlgorithm.parse(jwk.getAlgorithm().getName());
            SignedJWT ours = SignedJWT.parse(Files.readString(Path.of("ours", alg.getName())));
            Key key = jwk instanceof OctetSequenceKey oct ? oct.toSecretKey() : ((AsymmetricJWK) jwk).toPublicKey();
            JWTClaimsSet claims = ours.getJWTClaimsSet();
            boolean fits = ours.getHeader().getAlgorithm().equals(alg)
                && ours.verify(new DefaultJWSVerifierFactory().createJWSVerifier(ours.getHeader(), key))
                && claims.getIssuer().equals("https://i")
                && claims.getAudience().contains("a");
            if (!fits) {
                throw new Exception("refused: " + alg);
            }
            JWSSigner signer = new DefaultJWSSignerFactory().createJWSSigner(jwk, alg);
            Date end = new Date(System.currentTimeMillis() + 300_000);
            SignedJWT theirs = new SignedJWT(
                new JWSHeader.Builder(alg).keyID(jwk.getKeyID()).build(),
                new JWTClaimsSet.Builder().issuer("https://j").audience("b").expirationTime(end).build());
            theirs.sign(signer);
            Files.writeString(Path.of("theirs", alg.getName()), theirs.serialize());
            System.out.println(alg.getName());
        }
    }
}
