#include "runtime/jwt.hpp"

#include <gtest/gtest.h>

#include <thread>

#include <openssl/hmac.h>

namespace switchboard::runtime {
namespace {

using std::chrono::seconds;

constexpr time_point now{seconds{1'800'000'000}};
constexpr const char* secret = "0123456789abcdef0123456789abcdef";

// Made by PyJWT 2.6.0: {"customer_id":"customer-123","agent_id":"agent-456","exp":1900000000,"iat":1700000000}
constexpr const char* foreign_hs256 =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJjdXN0b21lcl9pZCI6ImN1c3RvbWVyLTEyMyIsImFnZW50X2lkIjoiYWdlbnQtNDU2IiwiZ"
    "XhwIjoxOTAwMDAwMDAwLCJpYXQiOjE3MDAwMDAwMDB9.Yty86yNoDNb02mxAZZAhZ_JdhasxdPdhDg_sxsLd0dk";
constexpr const char* foreign_rs256 =
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJjdXN0b21lcl9pZCI6ImN1c3RvbWVyLTEyMyIsImFnZW50X2lkIjoiYWdlbnQtNDU2IiwiZ"
    "XhwIjoxOTAwMDAwMDAwLCJpYXQiOjE3MDAwMDAwMDB9.cejZyIC01cU9mqnV1UKKz311cnxetSpW09Cp6c-JGv_45zAAV_nz69ig2Z0G9_6Khv"
    "RIsHTBA9DGq1NnaZB6hsbpLu9JYFJoQSSs4ttdLtCBrBsjjNw-L30a-8WZNoeJ0J_yo2W8L-P9fc4GvvuKE7CXDt0hGeDl-JA1ee_XqX4WKXJj"
    "z0HYNAenztYEm4_9bv0boGyoWbKnZTh1XCTC1Fp78GOaMfcEWpWx3EpKGqLeX8Mw674YBptJ4YhqjynqAMPQqvSH9bsGXhRo-2BrHd3DBBipj0"
    "skZR8N9TI8jXbAC0b_EIbtjAxgIM5TNSVpp8fQc-7tXYMOpqyl6_GUBA";

// Public keys made by OpenSSL; the private halves are gone.
constexpr const char* rsa_2048 = R"(-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1zba8JfgWKR5281LDca/
u0IBgR57IxQFs6yi/i2FuDySAWwb86cddUHpbUN1GGmDaDqVR4elOQNtyRYVkPWe
uvCf7o5/fsK2wbMCXwzuYILgZuuqBXsiSbPGElIgysROAmdeH/HQisAXwgLhaO7j
EpC3OaGFYmbVL1H13umubP05DmvlRAFeOnNq6TwMZ6emGHXP4JEJvkuRWeh6uNGy
+caMUbWYOaVdQUhfbgN+RfYngbPsZeKp2mkfE0+bmv2/rE/05kamhBixU9vTfozl
w5USoPG+kBLFpRifE+rv5IX4/4UhLO7RXsrprae0OQC9nVi0DXDX5ynjIUSiwmFJ
bwIDAQAB
-----END PUBLIC KEY-----
)";
constexpr const char* rsa_exponent_1 = R"(-----BEGIN PUBLIC KEY-----
MIIBIDANBgkqhkiG9w0BAQEFAAOCAQ0AMIIBCAKCAQEA1zba8JfgWKR5281LDca/
u0IBgR57IxQFs6yi/i2FuDySAWwb86cddUHpbUN1GGmDaDqVR4elOQNtyRYVkPWe
uvCf7o5/fsK2wbMCXwzuYILgZuuqBXsiSbPGElIgysROAmdeH/HQisAXwgLhaO7j
EpC3OaGFYmbVL1H13umubP05DmvlRAFeOnNq6TwMZ6emGHXP4JEJvkuRWeh6uNGy
+caMUbWYOaVdQUhfbgN+RfYngbPsZeKp2mkfE0+bmv2/rE/05kamhBixU9vTfozl
w5USoPG+kBLFpRifE+rv5IX4/4UhLO7RXsrprae0OQC9nVi0DXDX5ynjIUSiwmFJ
bwIBAQ==
-----END PUBLIC KEY-----
)";
constexpr const char* rsa_1024 = R"(-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDSmDrpfagF0Xw/pQ/drbAVGJNl
7DuRLtnuvsVg0HCLrrFK+vjQmvHB1bZsftcw+qRkEvvY/OF5TLy4pmeoOMPk02KP
ywYs/7opEOVXIBXIcSzrsxtRmFf+/JXsWYaN4fWOC7zJNZ6YOMnha1onSyg2hgYf
Wv9tgjT39kUVQpNwxwIDAQAB
-----END PUBLIC KEY-----
)";
constexpr const char* rsa_pss = R"(-----BEGIN PUBLIC KEY-----
MIIBIDALBgkqhkiG9w0BAQoDggEPADCCAQoCggEBAIvv4DxY95XMhWonXhNlIFwI
WyiMm4+j5U2tkHo5FwDP7/AckpZKMtRUSeX6fDt4990WCPmRMCLobNRBdGZo4Ja9
Nn9qIaGun2TafxnqucIot7B6fXMmIHBlj/d8eIquvnI1SQMbq3GEz7jQF0qPCYM/
DPJQs48hBZLzZ6WsuMp9gHFsQAPyZvmLxUgawgWllfmV1JJm+uWl6Yb3H2GVUSU9
+jS8kSP58rnPt/FNrhboC1/6C/9/a2O/LYQ7qPI2dbR52tTVeESZE3vbWUeEXtz0
ipqoVUxhzPjy2WMUGWjdwcnrnK+K+DwgKvjrmzQMlZaFaPs6G4ab5tjM3fkSmoUC
AwEAAQ==
-----END PUBLIC KEY-----
)";
constexpr const char* elliptic = R"(-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEVGLmd/wal/IuYy7Oo05wOBzHe4ul
HwkJ058fXjZdqHMq89QAklwAjBeIl12uWL0yU5eir40Xw2r52VBW1eGqRg==
-----END PUBLIC KEY-----
)";

/// An encoder of the test's own, so that a mistake shared by signer and verifier shows.
std::string base64url(std::string_view bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string bits, text;
  for (const unsigned char byte : bytes)
    for (int i = 7; i >= 0; --i)
      bits += static_cast<char>('0' + (byte >> i & 1));
  while (bits.size() % 6 != 0)
    bits += '0';
  for (std::size_t at = 0; at < bits.size(); at += 6)
    text += digits[std::stoi(bits.substr(at, 6), nullptr, 2)];
  return text;
}

std::string hmac(std::string_view key, std::string_view text) {
  unsigned char out[32];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), out, &size);
  return {reinterpret_cast<const char*>(out), size};
}

std::string signed_text(const std::string& parts, std::string_view key = secret) {
  return parts + "." + base64url(hmac(key, parts));
}

std::string token(std::string_view header, std::string_view payload, std::string_view key = secret) {
  return signed_text(base64url(header) + "." + base64url(payload), key);
}

constexpr const char* plain_header = R"({"alg":"HS256"})";
std::string with_claims(const std::string& more) {
  return token(plain_header, R"({"customer_id":"c-1")" + (more.empty() ? "" : "," + more) + "}");
}
const std::string good_exp = R"("exp":1800000600)";

std::shared_ptr<const jwt_verifier> verifier(jwt_options how) {
  auto made = jwt_verifier::make(std::move(how));
  EXPECT_TRUE(made) << (made ? "" : made.error().what);
  return made ? *made : nullptr;
}
std::shared_ptr<const jwt_verifier> hs256() { return verifier({.hs256_secret = secret}); }

void expect_refused(const jwt_verifier& by, const std::string& text, const std::string& name) {
  const auto result = by.verify(text, now);
  ASSERT_FALSE(result) << name;
  EXPECT_EQ(result.error().code, errc::access_refused) << name;
  if (text.size() > 20) {
    EXPECT_EQ(result.error().what.find(text.substr(0, 20)), std::string::npos) << "the reason quotes the token";
  }
}

TEST(jwt, tokens_of_another_library_are_read_with_either_algorithm) {
  const auto both = verifier({.hs256_secret = secret, .rs256_public_key_pem = rsa_2048});
  for (const auto* text : {foreign_hs256, foreign_rs256}) {
    const auto who = both->verify(text, now);
    ASSERT_TRUE(who) << who.error().what;
    EXPECT_EQ(who->customer_id, "customer-123");
    EXPECT_EQ(who->agent_id, "agent-456");
    EXPECT_EQ(who->expires, time_point{seconds{1'900'000'000}});
  }
}

TEST(jwt, a_token_signed_here_is_read_back) {
  const auto by = verifier({.hs256_secret = secret, .issuer = "node-1", .audience = "switchboard"});
  const claims who{"customer-1", "agent-2", now + seconds{60}};
  const auto read = by->verify(sign_hs256(who, secret, now, "node-1", "switchboard"), now);
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->customer_id, who.customer_id);
  EXPECT_EQ(read->agent_id, who.agent_id);
  EXPECT_EQ(read->expires, who.expires);
  EXPECT_EQ(sign_hs256(who, "short", now), "") << "a weak secret signs nothing";
}

TEST(jwt, a_token_is_refused_without_a_signature_of_the_one_algorithm_its_key_has) {
  const auto by = hs256();
  const std::string payload = R"({"customer_id":"c-1",)" + good_exp + "}";
  for (const auto* alg : {"none", "None", "NONE", "nOnE", "", "hs256", "HS384", "HS512", "RS256", "PS256", "ES256"}) {
    const auto parts = base64url(std::string{R"({"alg":")"} + alg + "\"}") + "." + base64url(payload);
    expect_refused(*by, parts + ".", std::string{alg} + " with an empty signature");
    expect_refused(*by, parts, std::string{alg} + " without a third part");
    expect_refused(*by, signed_text(parts), std::string{alg} + " with an HS256 signature");
  }
  for (const auto* header :
       {R"({})", R"({"alg":null})", R"({"alg":256})", R"({"alg":["HS256"]})", R"([])", R"("HS256")"})
    expect_refused(*by, token(header, payload), header);
}

TEST(jwt, the_public_rsa_key_is_no_hs256_secret) {
  const std::string payload = R"({"customer_id":"c-1",)" + good_exp + "}";
  const auto rs256_only = verifier({.rs256_public_key_pem = rsa_2048});
  const auto both = verifier({.hs256_secret = secret, .rs256_public_key_pem = rsa_2048});
  std::string trimmed{rsa_2048};
  trimmed.pop_back();
  for (const auto& key : {std::string{rsa_2048}, trimmed, std::string{}})
    for (const auto* alg : {R"({"alg":"HS256"})", R"({"alg":"RS256"})"}) {
      expect_refused(*rs256_only, token(alg, payload, key), alg);
      expect_refused(*both, token(alg, payload, key), alg);
    }
  EXPECT_FALSE(jwt_verifier::make({.hs256_secret = rsa_2048})) << "nor may it be configured as one";
}

TEST(jwt, without_a_key_for_its_algorithm_a_token_is_refused) {
  expect_refused(*verifier({}), foreign_hs256, "no keys at all");
  expect_refused(*verifier({}), foreign_rs256, "no keys at all");
  expect_refused(*hs256(), foreign_rs256, "RS256 without its key");
  expect_refused(*verifier({.rs256_public_key_pem = rsa_2048}), foreign_hs256, "HS256 without its secret");
}

TEST(jwt, any_changed_byte_breaks_a_token) {
  const auto both = verifier({.hs256_secret = secret, .rs256_public_key_pem = rsa_2048});
  for (const std::string good : {foreign_hs256, foreign_rs256})
    for (std::size_t at = 0; at < good.size(); ++at) {
      auto bad = good;
      bad[at] = bad[at] == 'A' ? 'B' : 'A';
      EXPECT_FALSE(both->verify(bad, now)) << at;
      EXPECT_FALSE(both->verify(good.substr(0, at), now)) << "cut off at " << at;
    }
}

TEST(jwt, forged_tokens_are_refused) {
  const auto good = token(plain_header, R"({"customer_id":"c-1",)" + good_exp + "}");
  const auto other =
      token(plain_header, R"({"customer_id":"c-2",)" + good_exp + "}", "another secret of more than 32 bytes");
  ASSERT_TRUE(hs256()->verify(good, now));
  expect_refused(*hs256(), other, "another key");
  const auto payload_end = good.rfind('.');
  expect_refused(*hs256(), other.substr(0, other.rfind('.')) + good.substr(payload_end),
                 "a payload under another's signature");
}

TEST(jwt, exp_is_a_finite_number_and_required) {
  for (const auto* exp : {R"("exp":1800000600)", R"("exp":1800000600.5)", R"("exp":18000006e2)"})
    EXPECT_TRUE(hs256()->verify(with_claims(exp), now)) << exp;
  for (const auto* exp :
       {"", R"("exp":null)", R"("exp":"1800000600")", R"("exp":true)", R"("exp":[1800000600])", R"("exp":{})",
        R"("exp":1e400)", R"("exp":-1)", R"("exp":0)", R"("exp":1e300)", R"("exp":18446744073709551616)",
        R"("exp":253402300800)", R"("exp":NaN)", R"("exp":Infinity)", R"("EXP":1800000600)"})
    expect_refused(*hs256(), with_claims(exp), exp);
}

TEST(jwt, clocks_may_differ_by_the_leeway_and_no_more) {
  const auto by = hs256();
  const auto at = [](const char* name, int offset) {
    return with_claims(std::string{name == std::string{"nbf"} ? good_exp + "," : ""} + "\"" + name +
                       "\":" + std::to_string(1'800'000'000 + offset));
  };
  EXPECT_TRUE(by->verify(at("exp", -59), now));
  expect_refused(*by, at("exp", -60), "exp 60 s ago");
  expect_refused(*by, at("exp", -61), "exp 61 s ago");
  EXPECT_TRUE(by->verify(at("nbf", 60), now));
  expect_refused(*by, at("nbf", 61), "nbf in 61 s");
  expect_refused(*by, with_claims(good_exp + R"(,"nbf":"1800000000")"), "nbf as text");
  expect_refused(*by, with_claims(good_exp + R"(,"iat":"1800000000")"), "iat as text");
  const auto strict = verifier({.hs256_secret = secret, .leeway = milliseconds{0}});
  expect_refused(*strict, at("exp", 0), "exp now, without leeway");
  EXPECT_TRUE(strict->verify(at("exp", 1), now));
  EXPECT_FALSE(jwt_verifier::make({.hs256_secret = secret, .leeway = milliseconds{60'001}}));
  EXPECT_FALSE(jwt_verifier::make({.hs256_secret = secret, .leeway = milliseconds{-1}}));
}

TEST(jwt, issuer_and_audience_are_compared_exactly) {
  const auto by = verifier({.hs256_secret = secret, .issuer = "https://id.example", .audience = "switchboard"});
  const auto iss = R"(,"iss":"https://id.example")";
  const auto aud = R"(,"aud":"switchboard")";
  EXPECT_TRUE(by->verify(with_claims(good_exp + iss + aud), now));
  EXPECT_TRUE(by->verify(with_claims(good_exp + iss + R"(,"aud":["other","switchboard"])"), now));
  for (const std::string bad : {R"(,"iss":"https://id.example/")", R"(,"iss":"https://id.exampl")",
                                R"(,"iss":"HTTPS://id.example")", R"(,"iss":["https://id.example"])", ""})
    expect_refused(*by, with_claims(good_exp + bad + aud), bad);
  for (const std::string bad : {R"(,"aud":"switchboard2")", R"(,"aud":"switch")", R"(,"aud":"Switchboard")",
                                R"(,"aud":[])", R"(,"aud":[["switchboard"]])", R"(,"aud":{"switchboard":1})", ""})
    expect_refused(*by, with_claims(good_exp + iss + bad), bad);
}

TEST(jwt, a_customer_is_required_and_ids_are_identities) {
  const auto claims_of = [](const std::string& text) { return token(plain_header, "{" + good_exp + text + "}"); };
  EXPECT_TRUE(hs256()->verify(claims_of(R"(,"customer_id":"c")"), now));
  EXPECT_TRUE(hs256()->verify(claims_of(R"(,"customer_id":"c","agent_id":"")"), now));
  for (const auto* bad :
       {"", R"(,"customer_id":"")", R"(,"customer_id":7)", R"(,"customer_id":null)", R"(,"customer_id":"*")",
        R"(,"customer_id":"a:b")", R"(,"customer_id":"c","agent_id":7)", R"(,"customer_id":"c","agent_id":"*")"})
    expect_refused(*hs256(), claims_of(bad), bad);
}

TEST(jwt, a_member_that_stands_twice_is_refused) {
  const auto payload = R"({"customer_id":"c-1",)" + good_exp + "}";
  expect_refused(*hs256(), token(R"({"alg":"HS256","alg":"HS256"})", payload), "alg twice");
  expect_refused(*hs256(), with_claims(good_exp + "," + good_exp), "exp twice");
  expect_refused(*hs256(), with_claims(good_exp + R"(,"customer_id":"c-2")"), "customer twice");
  expect_refused(*hs256(), with_claims(good_exp + R"(,"x":{"y":[{"z":1,"\u007a":2}]})"), "twice below, once escaped");
  EXPECT_TRUE(hs256()->verify(with_claims(good_exp + R"(,"x":{"a":1},"y":{"a":1})"), now))
      << "in two objects is once each";
}

TEST(jwt, header_extensions_are_refused_and_key_hints_ignored) {
  const auto payload = R"({"customer_id":"c-1",)" + good_exp + "}";
  for (const auto* bad : {R"({"alg":"HS256","crit":["exp"]})", R"({"alg":"HS256","crit":[]})",
                          R"({"alg":"HS256","typ":"at+jwt"})", R"({"alg":"HS256","typ":1})"})
    expect_refused(*hs256(), token(bad, payload), bad);
  for (const auto* fine : {R"({"alg":"HS256","typ":"jwt"})", R"({"alg":"HS256","kid":"../../dev/null"})",
                           R"({"alg":"HS256","jku":"http://evil.example","jwk":{"kty":"oct","k":""}})"})
    EXPECT_TRUE(hs256()->verify(token(fine, payload), now)) << fine;
}

TEST(jwt, base64url_has_one_spelling) {
  const auto good = with_claims(good_exp);
  ASSERT_TRUE(hs256()->verify(good, now));
  const auto header = base64url(plain_header);
  const auto payload = base64url(R"({"customer_id":"c-1",)" + good_exp + "}");
  // A signature over 32 bytes ends in a digit with two spare bits: the next digit decodes to the same bytes.
  auto spare = good;
  spare.back() = static_cast<char>(spare.back() + 1);
  expect_refused(*hs256(), spare, "spare bits");
  expect_refused(*hs256(), good + "=", "padding");
  expect_refused(*hs256(), good + "A", "a lone digit");
  expect_refused(*hs256(), good + "\n", "a line end");
  expect_refused(*hs256(), " " + good, "a blank");
  expect_refused(*hs256(), good + ".", "four parts");
  expect_refused(*hs256(), signed_text(header + "=." + payload), "a padded header");
  expect_refused(*hs256(), signed_text(header + "." + payload + "="), "a padded payload");
  expect_refused(*hs256(), signed_text(header + "." + base64url("{\"customer_id\":\"\xff\xfe\"," + good_exp + "}")),
                 "no UTF-8");
  for (const auto* text : {"", ".", "..", "...", "a", "a.b", "a.b.c"})
    expect_refused(*hs256(), text, text);
}

TEST(jwt, size_and_depth_are_limited) {
  const auto padded = [](std::size_t bytes) {
    auto text = with_claims(good_exp + R"(,"x":")" + std::string(bytes, 'x') + "\"");
    return text;
  };
  EXPECT_TRUE(hs256()->verify(padded(5900), now));
  expect_refused(*hs256(), padded(6200), "over 8 KiB");
  expect_refused(*hs256(), std::string(10'000'000, 'a'), "10 MB");
  const auto nested = [](int depth) {
    return with_claims(good_exp + ",\"x\":" + std::string(depth, '[') + std::string(depth, ']'));
  };
  EXPECT_TRUE(hs256()->verify(nested(7), now));
  expect_refused(*hs256(), nested(8), "nested 9 deep");
}

TEST(jwt, weak_or_unreadable_keys_are_refused_by_name) {
  const auto cause = [](jwt_options how) {
    const auto made = jwt_verifier::make(std::move(how));
    return made ? std::string{"accepted"} : made.error().what;
  };
  EXPECT_EQ(cause({.hs256_secret = std::string(31, 'x')}), "the HS256 secret is shorter than 32 bytes");
  EXPECT_EQ(cause({.rs256_public_key_pem = "rubbish"}), "the RS256 key is not a public key in PEM");
  EXPECT_EQ(cause({.rs256_public_key_pem = elliptic}), "the RS256 key is not an RSA key");
  EXPECT_EQ(cause({.rs256_public_key_pem = rsa_pss}), "the RS256 key is not an RSA key");
  EXPECT_EQ(cause({.rs256_public_key_pem = rsa_1024}), "the RS256 key is shorter than 2048 bits");
  EXPECT_EQ(cause({.rs256_public_key_pem = rsa_exponent_1}), "the RS256 key has an exponent that protects nothing");
}

TEST(jwt, one_verifier_serves_many_threads) {
  const auto both = verifier({.hs256_secret = secret, .rs256_public_key_pem = rsa_2048});
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < 200; ++n)
        right += both->verify(foreign_hs256, now) && both->verify(foreign_rs256, now) &&
                 !both->verify(with_claims(R"("exp":1)"), now);
    });
  for (auto& thread : threads)
    thread.join();
  EXPECT_EQ(right, 800);
}

} // namespace
} // namespace switchboard::runtime
