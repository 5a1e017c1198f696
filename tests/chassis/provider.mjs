// An OpenID provider of an organisation: signs in any user, and says in its access tokens who they are.
import {webcrypto as crypto} from 'node:crypto';
import Provider from 'oidc-provider';

const [port, audience] = process.argv.slice(2);
const {privateKey} = await crypto.subtle.generateKey({name: 'ECDSA', namedCurve: 'P-256'}, true, ['sign', 'verify']);
const issuer = `http://127.0.0.1:${port}`;
const resource = {scope: 'notes:read', audience, accessTokenFormat: 'jwt', accessTokenTTL: 300, jwt: {sign: {alg: 'ES256'}}};

const provider = new Provider(issuer, {
  jwks: {keys: [{...await crypto.subtle.exportKey('jwk', privateKey), alg: 'ES256', use: 'sig', kid: 'provider'}]},
  cookies: {keys: ['a key of the test']},
  clients: [{
    id_token_signed_response_alg: 'ES256',
    client_id: 'desk',
    client_secret: 'of-the-test',
    grant_types: ['authorization_code', 'client_credentials'],
    redirect_uris: ['http://127.0.0.1:9/signed-in'],
  }],
  pkce: {required: () => false},
  findAccount: (_, accountId) => ({accountId, claims: () => ({sub: accountId})}),
  features: {
    clientCredentials: {enabled: true},
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'https://homeward.example',
      getResourceServerInfo: () => resource,
      useGrantedResource: () => true,
    },
  },
  extraTokenClaims: (_, token) => ({
    org: 'iom-iraq',
    ...(token.accountId ? {act: {sub: token.accountId}} : {}),
  }),
});
provider.listen(Number(port), '127.0.0.1', () => console.log('listening'));
