package library

// saltFilters are Salt's filters on text, numbers, lists and regular expressions, in order of name.
// Those that Jinja has too are Salt's here, as in Salt.
func saltFilters() []Func {
	return []Func{
		{Name: "avg", Sig: "lst", Doc: "The mean of the numbers.", Fn: filterAvg},
		{Name: "base64_decode", Sig: "instr", Doc: "What base64 stands for.", Fn: filterBase64Decode},
		{Name: "base64_encode", Sig: "instr", Doc: "The text in base64.", Fn: filterBase64Encode},
		{Name: "check_whitelist_blacklist", Sig: "value, whitelist=None, blacklist=None", Doc: "Whether the lists of globs and regular expressions let the value pass.", Fn: filterWhitelist},
		{Name: "combinations", Sig: "iterable, r", Doc: "All choices of r items, in order.", Fn: filterCombinations(false)},
		{Name: "combinations_with_replacement", Sig: "iterable, r", Doc: "All choices of r items, each as often as one likes.", Fn: filterCombinations(true)},
		{Name: "compress", Sig: "data, selectors", Doc: "The items whose selector is true.", Fn: filterCompress},
		{Name: "contains_whitespace", Sig: "text", Doc: "Whether there is a blank in the text.", Fn: filterContainsWhitespace},
		{Name: "date_format", Sig: "date=None, format='%Y-%m-%d'", Doc: "A time, or seconds since 1970, as text.", Fn: filterStrftime},
		{Name: "difference", Sig: "lst1, lst2", Doc: "The items of the first list that are not in the second.", Fn: filterDifference},
		{Name: "exactly_n_true", Sig: "iterable, amount=1", Doc: "Whether so many items are true.", Fn: filterExactly},
		{Name: "exactly_one_true", Sig: "iterable", Doc: "Whether one item is true.", Fn: filterExactly},
		{Name: "flatten", Sig: "data, levels=None, preserve_nulls=False", Doc: "The items of lists within lists as one list.", Fn: filterFlatten},
		{Name: "hmac", Sig: "string, shared_secret, challenge_hmac", Doc: "Whether the signature, in base64, is the text's.", Fn: filterHMAC},
		{Name: "hmac_compute", Sig: "string, shared_secret", Doc: "The text's signature by HMAC with SHA-256.", Fn: filterHMACCompute},
		{Name: "human_to_bytes", Sig: "size, default_unit='B', handle_metric=False", Doc: "The number of bytes that 50MB or 2GiB means.", Fn: filterHumanToBytes},
		{Name: "intersect", Sig: "lst1, lst2", Doc: "The items that are in both lists.", Fn: filterIntersect},
		{Name: "is_hex", Sig: "value", Doc: "Whether the text is a hexadecimal number.", Fn: filterIsHex},
		{Name: "is_iter", Sig: "thing, ignore=?", Doc: "Whether it can be looped over and is no text.", Fn: filterIsIter},
		{Name: "is_list", Sig: "value", Doc: "Whether it is a list.", Fn: is(isList)},
		{Name: "is_sorted", Sig: "iterable", Doc: "Whether the items are in order.", Fn: filterIsSorted},
		{Name: "max", Sig: "obj", Doc: "The largest item.", Fn: extreme("max", 1)},
		{Name: "md5", Sig: "instr", Doc: "The MD5 hash of the text.", Fn: hashed("md5")},
		{Name: "method_call", Sig: "obj, f_name, *f_args, **f_kwargs", Doc: "What a method of the value returns.", Fn: filterMethodCall},
		{Name: "min", Sig: "obj", Doc: "The smallest item.", Fn: extreme("min", -1)},
		{Name: "permutations", Sig: "iterable, r=None", Doc: "All orders of r items.", Fn: filterPermutations},
		{Name: "product", Sig: "iterable, *iterables, **kwargs", Doc: "All tuples of an item of each list.", Fn: filterProduct},
		{Name: "quote", Sig: "txt", Doc: "The text as one word of the shell.", Fn: filterQuote},
		{Name: "rand_str", Sig: "size=9999999999, hash_type=None", Doc: "The hash of a random number.", Fn: filterRandomHash},
		{Name: "random_hash", Sig: "size=9999999999, hash_type=None", Doc: "The hash of a random number.", Fn: filterRandomHash},
		{Name: "random_sample", Sig: "value, size, seed=None", Doc: "So many items by chance.", Fn: filterRandomSample},
		{Name: "random_shuffle", Sig: "value, seed=None", Doc: "The items in an order by chance.", Fn: filterRandomShuffle},
		{Name: "random_str", Sig: "size=32", Doc: "Random text of so many characters.", Fn: filterRandomStr},
		{Name: "regex_escape", Sig: "value", Doc: "A regular expression that matches the text.", Fn: filterRegexEscape},
		{Name: "regex_match", Sig: "txt, rgx, ignorecase=False, multiline=False", Doc: "The groups of a regular expression that matches at the start, or none.", Fn: filterRegexMatch},
		{Name: "regex_replace", Sig: "txt, rgx, val, ignorecase=False, multiline=False", Doc: "The text with every match replaced.", Fn: filterRegexReplace},
		{Name: "regex_search", Sig: "txt, rgx, ignorecase=False, multiline=False", Doc: "The groups of a regular expression that matches somewhere, or none.", Fn: filterRegexSearch},
		{Name: "sequence", Sig: "data", Doc: "The value, in a list unless it is one.", Fn: filterSequence},
		{Name: "sha1", Sig: "instr", Doc: "The SHA-1 hash of the text.", Fn: hashed("sha1")},
		{Name: "sha256", Sig: "instr", Doc: "The SHA-256 hash of the text.", Fn: hashed("sha256")},
		{Name: "sha512", Sig: "instr", Doc: "The SHA-512 hash of the text.", Fn: hashed("sha512")},
		{Name: "skip", Sig: "data", Doc: "Nothing: for calls whose result is not wanted.", Fn: filterSkip},
		{Name: "sorted_ignorecase", Sig: "to_sort", Doc: "Texts in order without regard to case.", Fn: filterSortedIgnorecase},
		{Name: "str_to_num", Sig: "text", Doc: "The number that the text is, or the text.", Fn: filterToNum},
		{Name: "strftime", Sig: "date=None, format='%Y-%m-%d'", Doc: "A time, or seconds since 1970, as text.", Fn: filterStrftime},
		{Name: "substring_in_list", Sig: "string_to_search_for, list_to_search", Doc: "Whether the text is part of an item.", Fn: filterSubstring},
		{Name: "symmetric_difference", Sig: "lst1, lst2", Doc: "The items that are in one list only.", Fn: filterSymmetric},
		{Name: "to_bool", Sig: "val", Doc: "Whether the value means yes.", Fn: filterToBool},
		{Name: "to_bytes", Sig: "s, encoding=None, errors='strict'", Doc: "The text as bytes.", Fn: filterToBytes},
		{Name: "to_camelcase", Sig: "snake_input, uppercamel=False", Doc: "some_name as someName.", Fn: filterToCamel},
		{Name: "to_num", Sig: "text", Doc: "The number that the text is, or the text.", Fn: filterToNum},
		{Name: "to_snake_case", Sig: "camel_input", Doc: "someName as some_name.", Fn: filterToSnake},
		{Name: "union", Sig: "lst1, lst2", Doc: "The items that are in either list.", Fn: filterUnion},
		{Name: "unique", Sig: "values", Doc: "The items without those that stand before already.", Fn: filterUnique},
		{Name: "uuid", Sig: "val", Doc: "The UUID that belongs to the text.", Fn: filterUUID},
		{Name: "zip", Sig: "iterable, *iterables", Doc: "Tuples of the first items, the second items and so on.", Fn: filterZip},
		{Name: "zip_longest", Sig: "iterable, *iterables, **kwargs", Doc: "Like zip, to the end of the longest list.", Fn: filterZipLongest},
	}
}

// dataFilters are Salt's filters that read, write and change data, in order of name.
func dataFilters() []Func {
	return []Func{
		{Name: "append_dict_key_value", Sig: "in_dict, keys, value, delimiter=':', ordered_dict=False", Doc: "The dict with the value at the end of the list under the keys.", Fn: filterAppendKey},
		{Name: "compare_dicts", Sig: "old, new", Doc: "What differs between two dicts.", Fn: filterCompareDicts},
		{Name: "compare_lists", Sig: "old, new", Doc: "What is in one list only.", Fn: filterCompareLists},
		{Name: "dict_to_sls_yaml_params", Sig: "value, flow_style=False", Doc: "A dict as the arguments of a state in YAML.", Fn: filterSLSParams},
		{Name: "extend_dict_key_value", Sig: "in_dict, keys, value, delimiter=':', ordered_dict=False", Doc: "The dict with the items at the end of the list under the keys.", Fn: filterExtendKey},
		{Name: "json", Sig: "value, sort_keys=True, indent=None", Doc: "The value in JSON.", Fn: filterJSON},
		{Name: "json_decode_dict", Sig: "data", Doc: "The dict with its texts made bytes.", Fn: filterEncode},
		{Name: "json_decode_list", Sig: "data", Doc: "The list with its texts made bytes.", Fn: filterEncode},
		{Name: "json_encode_dict", Sig: "data", Doc: "The dict with its texts made bytes.", Fn: filterEncode},
		{Name: "json_encode_list", Sig: "data", Doc: "The list with its texts made bytes.", Fn: filterEncode},
		{Name: "json_query", Sig: "data, expr", Doc: "What a JMESPath expression finds.", Fn: filterJSONQuery},
		{Name: "load_json", Sig: "value", Doc: "The data of a text in JSON.", Fn: filterLoadJSON},
		{Name: "load_text", Sig: "value", Doc: "The text itself.", Fn: filterLoadText},
		{Name: "load_yaml", Sig: "value", Doc: "The data of a text in YAML.", Fn: filterLoadYAML},
		{Name: "mysql_to_dict", Sig: "data, key", Doc: "The lines of a table that mysql printed as dicts.", Fn: filterMySQL},
		{Name: "python", Sig: "value", Doc: "The value as Python writes it.", Fn: filterPythonMarkup},
		{Name: "set_dict_key_value", Sig: "in_dict, keys, value, delimiter=':', ordered_dict=False", Doc: "The dict with the value under the keys.", Fn: filterSetKey},
		{Name: "tojson", Sig: "val, indent=None", Doc: "The value in JSON that is safe in HTML.", Fn: filterToJSON},
		{Name: "traverse", Sig: "data, key, default=None, delimiter=':'", Doc: "What is under a:b:0, or the default.", Fn: filterTraverse},
		{Name: "update_dict_key_value", Sig: "in_dict, keys, value, delimiter=':', ordered_dict=False", Doc: "The dict with the dict under the keys updated.", Fn: filterUpdateKey},
		{Name: "xml", Sig: "value", Doc: "The value in XML.", Fn: filterXML},
		{Name: "yaml", Sig: "value, flow_style=True", Doc: "The value in YAML, on one line or in a block.", Fn: filterYAML},
		{Name: "yaml_dquote", Sig: "text", Doc: "The text in YAML's double quotes.", Fn: filterYAMLDouble},
		{Name: "yaml_encode", Sig: "data", Doc: "A single value in YAML.", Fn: filterYAMLEncode},
		{Name: "yaml_squote", Sig: "text", Doc: "The text in YAML's single quotes.", Fn: filterYAMLSingle},
	}
}

// networkFilters are Salt's filters on addresses, in order of name.
func networkFilters() []Func {
	return []Func{
		{Name: "connection_check", Sig: "addr, port=80, safe=False, ipv6=None", Doc: "The address that a name has.", Fn: filterDNSCheck},
		{Name: "dns_check", Sig: "addr, port=80, safe=False, ipv6=None", Doc: "The address that a name has.", Fn: filterDNSCheck},
		{Name: "filter_by_networks", Sig: "values, networks", Doc: "The addresses that are in one of the networks.", Fn: filterByNetworks},
		{Name: "gen_mac", Sig: "prefix='AC:DE:48'", Doc: "A random MAC address.", Fn: filterGenMAC},
		{Name: "http_query", Sig: "url, **kwargs", Doc: "What a server answers.", Fn: filterHTTP},
		{Name: "ip_host", Sig: "value, options=None, version=None", Doc: "The addresses with the length of their networks.", Fn: filterIPHost},
		{Name: "ipaddr", Sig: "value, options=None", Doc: "The values that are addresses.", Fn: addressFilter(0)},
		{Name: "ipv4", Sig: "value, options=None", Doc: "The values that are IPv4 addresses.", Fn: addressFilter(4)},
		{Name: "ipv6", Sig: "value, options=None", Doc: "The values that are IPv6 addresses.", Fn: addressFilter(6)},
		{Name: "ipwrap", Sig: "value", Doc: "IPv6 addresses in brackets, as in a URL.", Fn: filterIPWrap},
		{Name: "is_ip", Sig: "ip_addr, options=None", Doc: "Whether it is an address.", Fn: isAddress(0)},
		{Name: "is_ipv4", Sig: "ip_addr, options=None", Doc: "Whether it is an IPv4 address.", Fn: isAddress(4)},
		{Name: "is_ipv6", Sig: "ip_addr, options=None", Doc: "Whether it is an IPv6 address.", Fn: isAddress(6)},
		{Name: "mac_str_to_bytes", Sig: "mac_str", Doc: "A MAC address as bytes.", Fn: filterMACBytes},
		{Name: "network_hosts", Sig: "value, options=None, version=None", Doc: "The addresses of a network's hosts.", Fn: filterNetworkHosts},
		{Name: "network_size", Sig: "value, options=None, version=None", Doc: "How many addresses a network has.", Fn: filterNetworkSize},
	}
}

// fileFilters are Salt's filters on files of the machine, in order of name.
func fileFilters() []Func {
	return []Func{
		{Name: "file_hashsum", Sig: "path, form='sha256', chunk_size=65536", Doc: "The hash of a file.", Fn: filterFileHash},
		{Name: "is_bin_file", Sig: "fp_, blocksize=512", Doc: "Whether a file holds more than text.", Fn: filterIsBinary},
		{Name: "is_empty", Sig: "filename", Doc: "Whether a file is there and empty.", Fn: filterIsEmpty},
		{Name: "is_text_file", Sig: "fp_, blocksize=512", Doc: "Whether a file holds text.", Fn: filterIsTextFile},
		{Name: "list_files", Sig: "directory", Doc: "A directory and all files and directories below it.", Fn: filterListFiles},
		{Name: "path_join", Sig: "first, *parts", Doc: "One path of its parts.", Fn: filterPathJoin},
		{Name: "which", Sig: "exe", Doc: "The path of a command.", Fn: filterWhich},
	}
}
