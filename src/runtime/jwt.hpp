// JSON Web Tokens (RFC 7519) for WebSocket and HTTP, verified with OpenSSL. The algorithm and key are pinned by
// configuration, never chosen by the token; `none` does not exist here. Rules: facts of RFC 8725, each with a test.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "base/time.hpp"

namespace switchboard::runtime {

/// Who a token speaks for.
struct claims {
  std::string customer_id; ///< claim "customer_id"; required, an identity (base/ids.hpp)
  std::string agent_id;    ///< claim "agent_id"; empty: the customer itself
  time_point expires{};    ///< claim "exp" as it stands there, without the leeway
};

struct jwt_options {
  std::string hs256_secret;         ///< at least 32 bytes; empty: HS256 tokens are refused
  std::string rs256_public_key_pem; ///< at least 2048 bits; empty: RS256 tokens are refused
  std::string issuer;               ///< required and compared exactly unless empty
  std::string audience;             ///< likewise; `aud` may be a list that holds it
  milliseconds leeway{60'000};      ///< difference of clocks allowed for `exp` and `nbf`; 0..60 s
};

/// Longest token that is looked at.
inline constexpr std::size_t jwt_bytes_max = 8192;

class jwt_verifier {
public:
  /// errc::bad_format for a weak or unreadable key, or too much leeway.
  static expected<std::shared_ptr<const jwt_verifier>> make(jwt_options options);
  virtual ~jwt_verifier() = default;
  /// errc::access_refused with a reason fit for a client (never the token itself). Thread-safe.
  virtual expected<claims> verify(std::string_view token, time_point now) const = 0;
};

/// A development token, HS256 (`switchboard token`). Empty if the secret is one that make() would refuse.
std::string sign_hs256(const claims& who, std::string_view secret, time_point now, const std::string& issuer = {},
                       const std::string& audience = {});

} // namespace switchboard::runtime
