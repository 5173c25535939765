// Signs a token with Spring Security's encoder and a JWK Set, for each path on standard input, and prints it,
// or why the encoder refused.
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.source.ImmutableJWKSet;
import com.nimbusds.jose.proc.SecurityContext;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.JwsHeader;
import org.springframework.security.oauth2.jwt.JwtClaimsSet;
import org.springframework.security.oauth2.jwt.JwtEncoderParameters;
import org.springframework.security.oauth2.jwt.NimbusJwtEncoder;

class Spring {
    public static void main(String[] arguments) throws Exception {
        BufferedReader paths = new BufferedReader(new InputStreamReader(System.in));
        for (String path = paths.readLine(); path != null; path = paths.readLine()) {
            try {
                JWKSet set = JWKSet.load(new File(path));
                NimbusJwtEncoder encoder = new NimbusJwtEncoder(new ImmutableJWKSet<SecurityContext>(set));
                JwsHeader header = JwsHeader.with(SignatureAlgorithm.RS256).build();
                JwtClaimsSet claims = JwtClaimsSet.builder().subject("somebody").build();
                System.out.println(encoder.encode(JwtEncoderParameters.from(header, claims)).getTokenValue());
            } catch (Exception error) {
                System.out.println("error " + error.getMessage().replace('\n', ' '));
            }
            System.out.flush();
        }
    }
}
