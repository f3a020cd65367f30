# SPDX-License-Identifier: Apache-2.0
# Completion of the millrace command; what a verb takes, it says itself (--help).
_millrace()
{
	local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]-}

	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W \
			"$(millrace --help 2>/dev/null | sed -n 's/^  \([a-z]\+\) .*/\1/p') --help --version" \
			-- "$word")
	elif [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W \
			"$(millrace "$verb" --help 2>/dev/null | grep -oE -e '--[a-z-]+' | sort -u)" -- "$word")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
	fi
}
complete -F _millrace millrace
