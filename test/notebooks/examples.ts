/** Small notebooks for the tests, in the common shapes. */

/** A Python notebook of nbformat 4.5 with these cells. */
export function notebookOf(
  cells: readonly object[],
  others: object = {}
): object {
  return {
    cells,
    metadata: { kernelspec: { name: 'python3', language: 'python' } },
    nbformat: 4,
    nbformat_minor: 5,
    ...others
  };
}

let count = 0;

/** A code cell. */
export function code(source: string, metadata: object = {}): object {
  count += 1;
  return {
    cell_type: 'code',
    execution_count: null,
    id: `c${count}`,
    metadata,
    outputs: [],
    source: source.split(/(?<=\n)/)
  };
}

/** A cell of text: Markdown unless told otherwise. */
export function prose(source: string, type = 'markdown'): object {
  count += 1;
  return {
    cell_type: type,
    id: `c${count}`,
    metadata: {},
    source: source.split(/(?<=\n)/)
  };
}

/** As Jupyter writes it. */
export function jupyter(notebook: object): string {
  return `${JSON.stringify(notebook, null, 1)}\n`;
}

/** Spellings that no printer's settings give, or that few tools write. */
export const ODD_SPELLINGS: readonly (readonly [string, string])[] = [
  [
    'odd blanks and a short list on one line',
    `{
 "cells": [
  {
   "cell_type": "code",
   "execution_count": 1,
   "metadata": {"tags": ["a","b"]},
   "outputs": [
    {"data": {"image/png" : "iVBORw0KGgo=",
      "text/plain": ["1", "2"] }, "metadata": {}, "output_type": "display_data"}

   ],

   "source": ["import os"]
  }


 ],
 "metadata": {"language_info": {"name": "python"}},
 "nbformat": 4, "nbformat_minor": 2
}`
  ],
  [
    'Colab',
    `{
  "nbformat": 4,
  "nbformat_minor": 0,
  "metadata": {
    "colab": {"provenance": []},
    "kernelspec": {
      "name": "python3",
      "display_name": "Python 3"
    }
  },
  "cells": [
    {
      "cell_type": "markdown",
      "source": [
        "<a href=\\"https://colab.research.google.com/github/x/y.ipynb\\" target=\\"_parent\\"><img src=\\"b.svg\\"/></a>"
      ],
      "metadata": {
        "id": "view-in-github",
        "colab_type": "text"
      }
    },
    {
      "cell_type": "code",
      "source": [
        "print(1)"
      ],
      "metadata": {
        "id": "abc"
      },
      "execution_count": null,
      "outputs": []
    }
  ]
}`
  ],
  [
    'Kaggle',
    `{"metadata":{"kernelspec":{"language":"python","display_name":"Python 3","name":"python3"}},"nbformat_minor":4,"nbformat":4,"cells":[{"cell_type":"code","source":"import os\\nprint(os)","metadata":{"trusted":true},"execution_count":null,"outputs":[]}]}`
  ],
  [
    'brackets that hug',
    `{"cells": [{
    "cell_type": "code",
    "metadata": {},
    "outputs": [], "execution_count": null,
    "source": "x = None" }, {
    "cell_type": "markdown",
    "metadata": {},
    "source": "x" }],
 "metadata": {"kernelspec": {"name": "python3"}},
 "nbformat": 4, "nbformat_minor": 4}`
  ],
  [
    'commas first',
    `{
  "cells": [
    { "cell_type": "code"
    , "metadata": {}
    , "outputs": []
    , "execution_count": null
    , "source": "x = None"
    }
  , { "cell_type": "markdown"
    , "metadata": {}
    , "source": "x"
    }
  ]
, "metadata": {"kernelspec": {"name": "python3"}}
, "nbformat": 4
, "nbformat_minor": 4
}
`
  ],
  [
    'members that stand twice',
    `{"cells": [], "nbformat": 4, "nbformat_minor": 4, "metadata": {"kernelspec": {"name": "ir"}},
 "cells": [{"cell_type": "raw", "cell_type": "code", "source": "1", "source": "x = None", "metadata": {}, "outputs": [], "execution_count": null}],
 "metadata": {"kernelspec": {"name": "python3"}}}`
  ],
  [
    'escapes that need not be',
    `{"\\u0063ells": [{"cell_\\u0074ype": "code", "source": "\\u0078 = None\\/", "metadata": {"x": "\\ud800"}, "outputs": [], "execution_count": null}], "metadata": {"kernelspec": {"name": "python\\u0033"}}, "nbformat": 4.0, "nbformat_minor": 4e0}`
  ],
  [
    'names of the language',
    `{"cells": [{"cell_type": "code", "__proto__": {"x": 1}, "constructor": 1, "toString": 2, "source": "x = None", "metadata": {"__proto__": 1}, "outputs": [], "execution_count": null}], "__proto__": [], "metadata": {"kernelspec": {"name": "python3"}}, "nbformat": 4, "nbformat_minor": 4}`
  ],
  [
    'numbers that no double holds',
    `{"cells": [{"cell_type": "code", "source": "x = None", "metadata": {"n": 123456789012345678901234567890, "f": 1.0, "g": 1E400, "z": -0.0}, "outputs": [], "execution_count": null}], "metadata": {"kernelspec": {"name": "python3"}}, "nbformat": 4, "nbformat_minor": 4}`
  ],
  [
    'nbformat 3',
    `{
 "metadata": {
  "name": "",
  "signature": "sha256:0"
 },
 "nbformat": 3,
 "nbformat_minor": 0,
 "worksheets": [
  {
   "cells": [
    {
     "cell_type": "heading",
     "level": 1,
     "metadata": {},
     "source": [
      "Title"
     ]
    },
    {
     "cell_type": "code",
     "collapsed": false,
     "input": [
      "print 1"
     ],
     "language": "python",
     "metadata": {},
     "outputs": [],
     "prompt_number": 1
    }
   ],
   "metadata": {}
  }
 ]
}`
  ],
  [
    'nbformat 2, whose cells had no metadata',
    `{
 "metadata": {
  "name": "old"
 }, 
 "nbformat": 2, 
 "worksheets": [
  {
   "cells": [
    {
     "cell_type": "code", 
     "collapsed": true, 
     "input": "a = 1", 
     "language": "python", 
     "outputs": []
    }
   ]
  }
 ]
}`
  ],
  ...['[]', '[ ]', '[\n ]', '[\n\n  ]', '[\r\n\t]', '[\n    ]', '[\n]'].flatMap(
    cells => [
      [
        `no cells, as ${JSON.stringify(cells)} among lines`,
        `{\n "cells": ${cells},\n "metadata": {"kernelspec": {"name": "python3"}},\n "nbformat": 4,\n "nbformat_minor": 5\n}\n`
      ] as const,
      [
        `no cells, as ${JSON.stringify(cells)} on one line`,
        `{"metadata": {"kernelspec": {"name": "python3"}}, "cells": ${cells}, "nbformat": 4, "nbformat_minor": 5}`
      ] as const,
      [
        `no cells, as ${JSON.stringify(cells)} in a worksheet`,
        `{\n  "metadata": {"kernelspec": {"name": "python3"}},\n  "nbformat": 3,\n  "worksheets": [{"metadata": {},\n   "cells": ${cells}}]\n}`
      ] as const
    ]
  )
];
