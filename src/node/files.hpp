// Small files: read whole, and the HS256 secret that is made at first start. Where the plugins' files are.
#pragma once

#include <string>

#include "base/expected.hpp"
#include "node/config.hpp"

namespace switchboard::node {

/// The whole file, at most 1 MiB. errc::bad_format "file: cause" otherwise.
expected<std::string> read_file(const std::string& path);

/// The first line of a file, for secrets; an empty one is refused.
expected<std::string> read_secret(const std::string& path);

/// The HS256 secret, for whoever signs or verifies. The node makes it at first start, see make_missing_secret.
expected<std::string> read_hs256_secret(const config& settings);

/// If jwt.hs256_secret_file is empty and <data_dir>/jwt.secret does not exist, makes both folder and file (mode 0600,
/// 32 random bytes as hexadecimal). Two processes at once end up with the same secret. The node calls it before it
/// listens.
expected<void> make_missing_secret(const config& settings);

/// Where node.plugins are: node.plugins_dir, else where this program was installed or built.
std::string plugins_dir(const config& settings);

/// errc::not_found if one of node.plugins is not there.
expected<void> find_plugins(const config& settings);

/// The AMQP password: amqp.password_file's first line, or "guest".
expected<std::string> load_amqp_password(const config& settings);

} // namespace switchboard::node
