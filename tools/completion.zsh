#compdef millrace
# SPDX-License-Identifier: Apache-2.0
# Completion of the millrace command for zsh: the command itself knows what may stand next.
_millrace()
{
	local -a found
	local line

	while IFS= read -r line; do
		if [[ $line = @file ]]; then
			_files
		else
			found+=("$line")
		fi
	done < <("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
	compadd -a found
}
_millrace "$@"
