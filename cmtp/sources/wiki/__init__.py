"""MediaWiki dumps to Articles: the XML as a stream, wikitext without its markup."""
