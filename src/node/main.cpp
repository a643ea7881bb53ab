#include "node/cli.hpp"
#include "node/node.hpp"

int main(int argc, char** argv) { return switchboard::node::run_cli(argc, argv, switchboard::node::run_node); }
