# Fetches a URL with LWP and Digest; prints status, algorithm and content, a line each.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use LWP::UserAgent;
use URI;

my ($url, $realm, $user, $password) = @ARGV;
my $agent = LWP::UserAgent->new(timeout => 20);
$agent->credentials(URI->new($url)->host_port, $realm, $user, $password);
my $answer = $agent->get($url);
print join("\n", $answer->code, $answer->header('X-Algorithm') // '', $answer->content);
