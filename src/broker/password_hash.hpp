// Passwords as RabbitMQ keeps them, so that users move between the two by their definitions: base64 of four bytes of
// salt and the hash of salt and password (RabbitMQ, "Credentials and Passwords"). Pure but for the salt.
#pragma once

#include <string>
#include <string_view>

#include "base/expected.hpp"

namespace switchboard::broker {

/// The algorithm of new passwords; "rabbit_password_hashing_sha512" and "…_md5" are read as well.
inline constexpr std::string_view default_password_algorithm = "rabbit_password_hashing_sha256";

struct password_hash {
  std::string hash; ///< base64; empty: nobody logs in with a password
  std::string algorithm{default_password_algorithm};
};

/// With new salt. An empty password gives no hash.
password_hash hash_password(std::string_view password);

/// errc::bad_format if the algorithm is unknown or the text is not such a hash.
expected<void> check_password_hash(const password_hash& kept);

/// Takes the same time wherever the two differ. False for an empty password.
bool is_password(std::string_view given, const password_hash& kept);

} // namespace switchboard::broker
